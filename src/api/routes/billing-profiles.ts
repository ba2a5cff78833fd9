import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { findBillingProfile, listBillingProfiles } from '../../db/stores/billing-profiles.ts'
import { createProfile, expandedApps, removeProfile, updateProfile } from '../actions/billing-profiles.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { direction, pageRequest, presentPage } from '../paging.ts'
import { presentBillingProfile } from '../presenters/billing-profile.ts'
import {
  BillingProfile,
  BillingProfileCreate,
  BillingProfileListQuery,
  BillingProfilePage,
  BillingProfileReplaceUpdate,
  ProfileExpand,
} from '../schemas/billing-profiles.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Billing']
const ProfileParams = Type.Object({ id: Type.String() })
const columns = {
  createdAt: 'createdAt',
  updatedAt: 'updatedAt',
  default: 'isDefault',
  name: 'name',
} as const

/** Billing profiles: who supplies, how it is collected, and what happens when a payment fails. */
export function billingProfileRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/billing/profiles',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'createBillingProfile',
          tags,
          description:
            'How invoices are made and collected, and who supplies. With `default: true` it takes over ' +
            'from the default profile there is. tax, invoicing and payment must name the same installed ' +
            'app, else `validation_failed` (400).',
          body: ref(BillingProfileCreate),
          response: { 201: ref(BillingProfile) },
        },
      },
      async ({ body }, reply) =>
        reply.status(201).send(presentBillingProfile(await createProfile(deps, body))),
    )

    app.get(
      '/api/v1/billing/profiles',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listBillingProfiles',
          tags,
          description:
            'A page of the profiles, without archived ones unless `includeArchived` is true. ' +
            '`expand=apps` adds the Stripe account of each.',
          querystring: BillingProfileListQuery,
          response: { 200: ref(BillingProfilePage) },
        },
      },
      async ({ query }) => {
        const page = pageRequest(query)
        const ordering = { orderBy: columns[query.orderBy ?? 'createdAt'], order: direction(query.order) }
        const profiles = await listBillingProfiles(
          deps.db,
          { includeArchived: query.includeArchived ?? false },
          { ...page, ...ordering },
        )
        const apps = await expandedApps(deps, profiles.items, query.expand)
        return presentPage(profiles, page, (profile) =>
          presentBillingProfile(profile, apps.get(profile.appId)),
        )
      },
    )

    app.get(
      '/api/v1/billing/profiles/:id',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getBillingProfile',
          tags,
          description: 'One profile by id, archived or not. `expand=apps` adds its Stripe account.',
          params: ProfileParams,
          querystring: ProfileExpand,
          response: { 200: ref(BillingProfile) },
        },
      },
      async ({ params: { id }, query }) => {
        const profile = found(await findBillingProfile(deps.db, id), 'billing profile', id)
        const apps = await expandedApps(deps, [profile], query.expand)
        return presentBillingProfile(profile, apps.get(profile.appId))
      },
    )

    app.put(
      '/api/v1/billing/profiles/:id',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'updateBillingProfile',
          tags,
          description:
            'Replaces the profile; dunning, late usage, access, Stripe settings and the default ' +
            'currency stay where they are left out. Invoices that were made keep their settings. The ' +
            'default profile stays the default until another becomes it: `profile_in_use` (409).',
          params: ProfileParams,
          body: ref(BillingProfileReplaceUpdate),
          response: { 200: ref(BillingProfile) },
        },
      },
      async ({ params: { id }, body }) => presentBillingProfile(await updateProfile(deps, id, body)),
    )

    app.delete(
      '/api/v1/billing/profiles/:id',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'deleteBillingProfile',
          tags,
          description:
            'Archives a profile. `profile_in_use` (409) for the default one, and while customers are ' +
            'linked to it.',
          params: ProfileParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params: { id } }, reply) => {
        await removeProfile(deps, id)
        return reply.status(204).send(null)
      },
    )
  }
}
