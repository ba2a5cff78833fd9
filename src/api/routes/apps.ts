import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { listApps } from '../../db/stores/apps.ts'
import { uninstallApp, updateApp } from '../actions/apps.ts'
import { changeStripeKey } from '../actions/stripe-keys.ts'
import { requireApp } from '../actions/require-app.ts'
import { repairWebhook, rotateEndpoint, setWebhookSecret } from '../actions/webhook-endpoints.ts'
import type { ApiDeps } from '../deps.ts'
import { pageRequest, presentPage } from '../paging.ts'
import { presentApp } from '../presenters/app.ts'
import {
  AppPage,
  StripeApiKeyInput,
  StripeApp,
  StripeAppReplaceUpdate,
  StripeWebhookSecretInput,
} from '../schemas/apps.ts'
import { PageQuery } from '../schemas/common.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Apps']
const AppParams = Type.Object({ id: Type.String() })

/** Installed apps: a Stripe account each. */
export function appRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/apps',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listApps',
          tags,
          description: 'A page of the installed Stripe accounts. Keys and webhook secrets are never shown.',
          querystring: Type.Object(PageQuery),
          response: { 200: ref(AppPage) },
        },
      },
      async ({ query }) =>
        presentPage(await listApps(deps.db, pageRequest(query)), pageRequest(query), presentApp),
    )

    app.get(
      '/api/v1/apps/:id',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getApp',
          tags,
          description:
            'One installed Stripe account, with what its key may not do and what is wrong with its webhook ' +
            'endpoint. Keys and secrets are never shown.',
          params: AppParams,
          response: { 200: ref(StripeApp) },
        },
      },
      async ({ params: { id } }) => presentApp(await requireApp(deps, id)),
    )

    app.put(
      '/api/v1/apps/:id',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'updateApp',
          tags,
          description:
            "Replaces name, description and metadata; the portal's address stays where it is left out. " +
            'A `secretAPIKey` is checked at Stripe first, as by the operation for the key.',
          params: AppParams,
          body: ref(StripeAppReplaceUpdate),
          response: { 200: ref(StripeApp) },
        },
      },
      async ({ params: { id }, body }) => presentApp(await updateApp(deps, id, body)),
    )

    app.delete(
      '/api/v1/apps/:id',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'uninstallApp',
          tags,
          description:
            'Takes our webhook endpoint away at Stripe and forgets the secrets. `app_in_use` (409) names ' +
            'the billing profiles, linked customers and open invoices that still need the app.',
          params: AppParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params: { id } }, reply) => {
        await uninstallApp(deps, id)
        return reply.status(204).send(null)
      },
    )

    app.put(
      '/api/v1/apps/:id/stripe/api-key',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'updateStripeAPIKey',
          tags,
          description:
            'Replaces the key by another of the same account and mode, checked at Stripe first; ' +
            'invoices that waited for a key go on. `stripe_key_invalid` (400) for another account or ' +
            'mode, `stripe_permission_missing` (409) for a restricted key that may do too little.',
          params: AppParams,
          body: ref(StripeApiKeyInput),
          response: { 204: Type.Null() },
        },
      },
      async ({ params: { id }, body }, reply) => {
        await changeStripeKey(deps, id, body.secretAPIKey)
        return reply.status(204).send(null)
      },
    )

    app.put(
      '/api/v1/apps/:id/stripe/webhook-secret',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'updateStripeWebhookSecret',
          tags,
          description:
            'The secret of an endpoint that was rolled or made by hand. Both are good for a while.',
          params: AppParams,
          body: ref(StripeWebhookSecretInput),
          response: { 204: Type.Null() },
        },
      },
      async ({ params: { id }, body }, reply) => {
        await setWebhookSecret(deps, id, body)
        return reply.status(204).send(null)
      },
    )

    app.post(
      '/api/v1/apps/:id/stripe/webhook/repair',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'repairStripeWebhook',
          tags,
          description: 'Makes the endpoint at Stripe again where it is gone, disabled or at another address.',
          params: AppParams,
          response: { 200: ref(StripeApp) },
        },
      },
      async ({ params: { id } }) => presentApp(await repairWebhook(deps, id)),
    )

    app.post(
      '/api/v1/apps/:id/stripe/webhook/rotate',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'rotateStripeWebhook',
          tags,
          description: 'Another endpoint with another secret. The secret of before is good for 24 hours.',
          params: AppParams,
          response: { 200: ref(StripeApp) },
        },
      },
      async ({ params: { id } }) => presentApp(await rotateEndpoint(deps, id)),
    )
  }
}
