import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { DomainError } from '../../domain/errors.ts'
import { installManually, installStripe } from '../actions/apps.ts'
import { webhookUrl } from '../actions/webhook-endpoints.ts'
import { MANUAL_API_VERSION, endpointEvents, manualWebhookEvents } from '../../stripe/events.ts'
import type { ApiDeps } from '../deps.ts'
import { pageRequest, presentPage } from '../paging.ts'
import { presentApp, stripeListing } from '../presenters/app.ts'
import {
  ApiKeyInstall,
  AppType,
  ManualInstall,
  ManualInstallResponse,
  MarketplaceInstallResponse,
  MarketplaceListing,
  MarketplaceListingPage,
} from '../schemas/apps.ts'
import { PageQuery } from '../schemas/common.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Apps']
const ListingParams = Type.Object({ type: AppType })

function requireListing(type: string): MarketplaceListing {
  if (type === stripeListing.type) return stripeListing
  throw new DomainError('not_found', `There is no app of the type ${type} here; stripe is the one.`)
}

/** What can be installed, and its installation. */
export function marketplaceRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/marketplace/listings',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listMarketplaceListings',
          tags,
          description: 'What can be installed: Stripe, alone.',
          querystring: Type.Object(PageQuery),
          response: { 200: ref(MarketplaceListingPage) },
        },
      },
      async ({ query }) => {
        const page = pageRequest(query)
        return presentPage(
          { items: page.page === 1 ? [stripeListing] : [], totalCount: 1 },
          page,
          (listing) => listing,
        )
      },
    )

    app.get(
      '/api/v1/marketplace/listings/:type',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getMarketplaceListing',
          tags,
          description: 'What the app of this type can do. `not_found` (404) for all but stripe.',
          params: ListingParams,
          response: { 200: ref(MarketplaceListing) },
        },
      },
      async ({ params }) => requireListing(params.type),
    )

    app.post(
      '/api/v1/marketplace/listings/:type/install/apikey',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'marketplaceAppAPIKeyInstall',
          tags,
          description:
            'Checks the key at Stripe, makes the webhook endpoint there (events are polled where Stripe ' +
            'refuses it), and, unless `createBillingProfile` is false, a billing profile, which is the ' +
            'default where there is none. `app_already_installed` (409) for an account that is there ' +
            'already.',
          params: ListingParams,
          body: ref(ApiKeyInstall),
          response: { 200: ref(MarketplaceInstallResponse) },
        },
      },
      async ({ params, body }) => {
        const { capabilities } = requireListing(params.type)
        const { app: installed, isDefault } = await installStripe(deps, body)
        return {
          app: presentApp(installed),
          defaultForCapabilityTypes: isDefault ? capabilities.map(({ type }) => type) : [],
        }
      },
    )

    app.post(
      '/api/v1/marketplace/listings/:type/install/manual',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'marketplaceAppManualInstall',
          tags,
          description:
            'Installs with a key of few permissions, and an endpoint that is made in the dashboard.',
          params: ListingParams,
          body: ref(ManualInstall),
          response: { 200: ref(ManualInstallResponse) },
        },
      },
      async ({ params, body }) => {
        const { capabilities } = requireListing(params.type)
        const { app: installed, isDefault } = await installManually(deps, body)
        return {
          app: presentApp(installed),
          defaultForCapabilityTypes: isDefault ? capabilities.map(({ type }) => type) : [],
          webhook: {
            url: webhookUrl(deps, installed.id),
            events: [...manualWebhookEvents],
            recommendedEvents: [...endpointEvents],
            apiVersion: MANUAL_API_VERSION,
          },
        }
      },
    )

    for (const url of [
      '/api/v1/marketplace/listings/:type/install/oauth2',
      '/api/v1/marketplace/listings/:type/install/oauth2/authorize',
    ]) {
      app.get(url, { config: { scope: 'admin' }, schema: { hide: true } }, async () => {
        throw new DomainError(
          'oauth_not_offered',
          'Installing by OAuth is not offered: POST an API key to /api/v1/marketplace/listings/stripe/install/apikey, or a restricted key of few permissions to …/install/manual.',
        )
      })
    }
  }
}
