import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { findInvoice, listInvoices } from '../../db/stores/invoice-reads.ts'
import type { InvoiceFilter } from '../../db/stores/invoice-reads.ts'
import { findSubscription, listTimeline } from '../../db/stores/subscription-reads.ts'
import { subscriptionOf } from '../actions/cancel-subscription.ts'
import { invoiceOf } from '../actions/invoice-actions.ts'
import { presentInvoices, presentOneInvoice } from '../actions/present-invoices.ts'
import { listGathering, upcomingOf } from '../actions/upcoming-invoices.ts'
import type { ApiDeps } from '../deps.ts'
import { parseInstant } from '../instants.ts'
import { pageRequest, presentPage } from '../paging.ts'
import type { PageAnswer } from '../paging.ts'
import { presentTimelineEntry } from '../presenters/subscription.ts'
import {
  Invoice,
  InvoiceGetQuery,
  InvoiceListQuery,
  InvoicePage,
  InvoiceParams,
} from '../schemas/invoices.ts'
import type { InvoiceExpansion } from '../schemas/invoices.ts'
import { ref } from '../schemas/reference.ts'
import { SubscriptionParams, TimelineEntry } from '../schemas/subscriptions.ts'

const tags = ['Invoices']

/** A stored invoice, or the upcoming one of the subscription with this id. Errors: not_found. */
async function getInvoice(
  deps: ApiDeps,
  id: string,
  expand: readonly InvoiceExpansion[] | undefined,
): Promise<Invoice> {
  const row = await findInvoice(deps.db, id)
  if (row === undefined && (await findSubscription(deps.db, id)) !== undefined)
    return await upcomingOf(deps, id)
  return await presentOneInvoice(deps, row ?? (await invoiceOf(deps, id)), expand)
}

function filterOf(query: InvoiceListQuery): InvoiceFilter {
  const at = (field: keyof InvoiceListQuery): Date | undefined => {
    const text = query[field]
    return typeof text === 'string' ? parseInstant(text, field) : undefined
  }
  return {
    statuses: query.statuses,
    extendedStatuses: query.extendedStatuses,
    customers: query.customers,
    numbers: query.numbers,
    issuedAfter: at('issuedAfter'),
    issuedBefore: at('issuedBefore'),
    createdAfter: at('createdAfter'),
    createdBefore: at('createdBefore'),
    periodStartAfter: at('periodStartAfter'),
    periodStartBefore: at('periodStartBefore'),
    includeDeleted: query.includeDeleted,
  }
}

/** Upcoming invoices are computed, so they are listed only when they are asked for alone. */
async function list(
  deps: ApiDeps,
  query: InvoiceListQuery,
  subscriptionId?: string,
): Promise<PageAnswer<Invoice>> {
  const page = pageRequest(query)
  const showLines = query.expand?.includes('lines') ?? false
  if (query.statuses?.length === 1 && query.statuses[0] === 'gathering' && subscriptionId === undefined) {
    return presentPage(
      await listGathering(deps, { customers: query.customers, showLines }, page),
      page,
      (invoice) => invoice,
    )
  }
  const order = { order: query.order ?? 'ASC', orderBy: query.orderBy ?? 'createdAt' } as const
  const { rows, totalCount } = await listInvoices(
    deps.db,
    { ...filterOf(query), subscriptionId },
    { ...page, ...order },
  )
  const items = await presentInvoices(deps, rows, query.expand ?? [])
  return { items, ...page, totalCount }
}

/** Invoices: what was billed, why, and what became of it. */
export function invoiceRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/billing/invoices',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listInvoices',
          tags,
          description:
            'With `statuses=gathering` alone: the upcoming invoice of each subscription that goes on, but for those that no line could hold.',
          querystring: InvoiceListQuery,
          response: { 200: ref(InvoicePage) },
        },
      },
      async ({ query }) => await list(deps, query),
    )

    app.get(
      '/api/v1/billing/invoices/:invoiceId',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getInvoice',
          tags,
          description:
            "An invoice with its lines, unless `expand` names other parts only. A subscription's id " +
            'answers with its upcoming invoice, computed now.',
          params: InvoiceParams,
          querystring: InvoiceGetQuery,
          response: { 200: ref(Invoice) },
        },
      },
      async ({ params, query }) => await getInvoice(deps, params.invoiceId, query.expand),
    )

    app.get(
      '/api/v1/billing/invoices/:invoiceId/timeline',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getInvoiceTimeline',
          tags,
          description: 'What happened to the invoice, when and why, in order.',
          params: InvoiceParams,
          response: { 200: Type.Array(ref(TimelineEntry)) },
        },
      },
      async ({ params: { invoiceId } }) => {
        const { id } = await invoiceOf(deps, invoiceId)
        return (await listTimeline(deps.db, { type: 'invoice', id })).map(presentTimelineEntry)
      },
    )

    app.get(
      '/api/v1/subscriptions/:subscriptionId/invoices',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listSubscriptionInvoices',
          tags,
          description:
            'The stored invoices of one subscription, with the filters of the list of all invoices. The ' +
            'upcoming one has an operation of its own.',
          params: SubscriptionParams,
          querystring: InvoiceListQuery,
          response: { 200: ref(InvoicePage) },
        },
      },
      async ({ params: { subscriptionId }, query }) => {
        const { id } = await subscriptionOf(deps, subscriptionId)
        return await list(deps, query, id)
      },
    )
  }
}
