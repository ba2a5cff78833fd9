import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { DomainError } from '../../domain/errors.ts'
import {
  deleteOverride,
  findBillingProfilesById,
  findDefaultProfile,
  findOverride,
  listOverrides,
} from '../../db/stores/billing-profiles.ts'
import type { BillingProfileRow, OverriddenCustomer } from '../../db/stores/billing-profiles.ts'
import { findCustomersById } from '../../db/stores/customers.ts'
import { expandedApps, overrideProfile } from '../actions/billing-profiles.ts'
import { requireCustomer } from '../actions/customers.ts'
import type { ApiDeps } from '../deps.ts'
import { direction, pageRequest, presentPage } from '../paging.ts'
import { presentCustomerOverride } from '../presenters/billing-profile.ts'
import { presentCustomer } from '../presenters/customer.ts'
import {
  CustomerOverride,
  CustomerOverridePage,
  OverrideCreate,
  OverrideExpand,
  OverrideListQuery,
} from '../schemas/billing-profiles.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Billing']
const CustomerParams = Type.Object({ customerId: Type.String() })
const columns = {
  customerId: 'id',
  customerName: 'name',
  customerKey: 'key',
  customerPrimaryEmail: 'primaryEmail',
  customerCreatedAt: 'createdAt',
} as const

type Expand = readonly string[] | undefined

/** The profiles that some customers are billed by, the default one among them. */
async function profilesOf(
  { db }: ApiDeps,
  customers: readonly OverriddenCustomer[],
): Promise<ReadonlyMap<string | null, BillingProfileRow>> {
  const fallback = await findDefaultProfile(db)
  const pinned = await findBillingProfilesById(db, [
    ...new Set(customers.flatMap(({ override }) => override?.billingProfileId ?? [])),
  ])
  const entries = pinned.map((profile): [string | null, BillingProfileRow] => [profile.id, profile])
  return new Map(fallback === null ? entries : [...entries, [null, fallback]])
}

async function presentAll(
  deps: ApiDeps,
  customers: readonly OverriddenCustomer[],
  expand: Expand,
): Promise<CustomerOverride[]> {
  const profiles = await profilesOf(deps, customers)
  const apps = await expandedApps(deps, [...profiles.values()], expand)
  const rows =
    expand?.includes('customer') === true
      ? await findCustomersById(
          deps.db,
          customers.map(({ customerId }) => customerId),
        )
      : []
  const byId = new Map(rows.map((row) => [row.id, presentCustomer(row)]))
  return customers.map(({ customerId, override }) => {
    const profile = profiles.get(override?.billingProfileId ?? null)
    if (profile === undefined)
      throw new DomainError('profile_missing', 'There is no default billing profile; create one.')
    const customer = byId.get(customerId)
    return {
      ...presentCustomerOverride({ override, profile, app: apps.get(profile.appId) }),
      ...(customer && { customer }),
    }
  })
}

async function presentOne(deps: ApiDeps, customerId: string, expand: Expand): Promise<CustomerOverride> {
  const override = await findOverride(deps.db, customerId)
  const [presented] = await presentAll(deps, [{ customerId, override }], expand)
  if (presented === undefined) throw new DomainError('not_found')
  return presented
}

/** Which profile bills a customer, the default one or the one it is linked to, and what differs from it for them. */
export function customerOverrideRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/billing/customers',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listBillingProfileCustomerOverrides',
          tags,
          description:
            'A page of customers with the profile that bills each and what differs from it, of all ' +
            'customers unless `includeAllCustomers` is false.',
          querystring: OverrideListQuery,
          response: { 200: ref(CustomerOverridePage) },
        },
      },
      async ({ query }) => {
        const page = pageRequest(query)
        const defaultProfile = await findDefaultProfile(deps.db)
        const filter = {
          profileIds: query.billingProfile,
          withoutPinnedProfile: query.customersWithoutPinnedProfile ?? false,
          includeAllCustomers: query.includeAllCustomers ?? true,
          customerIds: query.customerId,
          name: query.customerName,
          key: query.customerKey,
          primaryEmail: query.customerPrimaryEmail,
          defaultProfileId: defaultProfile?.id ?? null,
        }
        const ordering = { orderBy: columns[query.orderBy ?? 'customerId'], order: direction(query.order) }
        const customers = await listOverrides(deps.db, filter, { ...page, ...ordering })
        const items = await presentAll(deps, customers.items, query.expand)
        return presentPage({ items, totalCount: customers.totalCount }, page, (item) => item)
      },
    )

    app.get(
      '/api/v1/billing/customers/:customerId',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getBillingProfileCustomerOverride',
          tags,
          description:
            'The profile that bills the customer, and what differs from it for them. Answers also where ' +
            'there is no override: then with the default profile alone.',
          params: CustomerParams,
          querystring: OverrideExpand,
          response: { 200: ref(CustomerOverride) },
        },
      },
      async ({ params, query }) =>
        presentOne(deps, (await requireCustomer(deps, params.customerId)).id, query.expand),
    )

    app.put(
      '/api/v1/billing/customers/:customerId',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'upsertBillingProfileCustomerOverride',
          tags,
          description:
            'Links the customer to a profile (none named: the default one) and replaces what differs ' +
            'from it for them. Invoices that were made keep their settings. `profile_missing` (409) ' +
            'where no default profile exists.',
          params: CustomerParams,
          body: ref(OverrideCreate),
          response: { 200: ref(CustomerOverride) },
        },
      },
      async ({ params, body }) => {
        const { id } = await requireCustomer(deps, params.customerId)
        await overrideProfile(deps, id, body)
        return presentOne(deps, id, undefined)
      },
    )

    app.delete(
      '/api/v1/billing/customers/:customerId',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'deleteBillingProfileCustomerOverride',
          tags,
          description:
            'The customer is billed by the default profile again, without differences. `not_found` ' +
            '(404) where there is no override.',
          params: CustomerParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params }, reply) => {
        const { id } = await requireCustomer(deps, params.customerId)
        if (!(await deleteOverride(deps.db, id)))
          throw new DomainError('not_found', 'The customer has no override.')
        return reply.status(204).send(null)
      },
    )
  }
}
