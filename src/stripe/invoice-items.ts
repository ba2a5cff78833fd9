import type { Stripe } from 'stripe'
import { currency } from '../domain/currency.ts'
import { fromProcessorMinor, toProcessorMinor } from '../domain/money.ts'
import type { Connection } from './client.ts'
import { idOf } from './events.ts'
import { classifyStripeError } from './failures.ts'
import type {
  ItemContent,
  ItemsQuery,
  ItemToCreate,
  LastInvoiceRequest,
  StripeItemView,
} from './invoice-item-types.ts'
import { findInvoice } from './invoice-sync.ts'
import { listLines } from './invoice-view.ts'
import { cutDescription, periodParams, taxParams } from './line-params.ts'
import { metadataKeys } from './metadata.ts'
import { madeSince, pagesOf } from './pages.ts'

/** All items of an invoice of ours, wherever Stripe put them; lists do not lag. */
export async function listItems(
  connection: Connection,
  query: ItemsQuery,
): Promise<readonly StripeItemView[]> {
  const filter = { customer: query.stripeCustomerId, ...madeSince(query.createdMs) }
  const pages = pagesOf((paging) =>
    connection.call('invoiceitems.list', (stripe) => stripe.invoiceItems.list({ ...filter, ...paging })),
  )
  const found: StripeItemView[] = []
  for await (const page of pages) found.push(...page.filter((item) => isOf(item, query.invoiceId)).map(view))
  return found
}

const isOf = ({ metadata }: Stripe.InvoiceItem, invoiceId: string): boolean =>
  metadata?.[metadataKeys.invoice] === invoiceId && metadata[metadataKeys.item] !== undefined

function view(item: Stripe.InvoiceItem): StripeItemView {
  return {
    stripeItemId: item.id,
    itemId: item.metadata?.[metadataKeys.item] ?? '',
    amountMinor: fromProcessorMinor(BigInt(item.amount), currency(item.currency.toUpperCase())),
    stripeInvoiceId: idOf(item.invoice),
  }
}

/** Made once under its key. */
export async function createItem(connection: Connection, item: ItemToCreate): Promise<StripeItemView> {
  const { stripeSubscriptionId, stripeInvoiceId } = item
  const place =
    stripeInvoiceId === null
      ? stripeSubscriptionId !== null && { subscription: stripeSubscriptionId }
      : { invoice: stripeInvoiceId }
  const created = await connection.call('invoiceitems.create', (stripe) =>
    stripe.invoiceItems.create(
      {
        customer: item.stripeCustomerId,
        currency: item.currency.toLowerCase(),
        ...content(item),
        discountable: false,
        metadata: {
          [metadataKeys.invoice]: item.invoiceId,
          [metadataKeys.line]: item.lineId,
          [metadataKeys.item]: item.itemId,
        },
        ...place,
      },
      { idempotencyKey: `item:${item.itemId}:g${item.generation}` },
    ),
  )
  return view(created)
}

/** What it is now; repeating it changes nothing. */
export async function updateItem(
  connection: Connection,
  stripeItemId: string,
  item: ItemContent,
): Promise<StripeItemView> {
  return view(
    await connection.call('invoiceitems.update', (stripe) =>
      stripe.invoiceItems.update(stripeItemId, content(item)),
    ),
  )
}

function content(item: ItemContent) {
  return {
    amount: Number(toProcessorMinor(item.amountMinor, currency(item.currency))),
    description: cutDescription(item.description),
    period: periodParams(item),
    ...taxParams(item),
  }
}

/** One that is gone already is no error. */
export async function deleteItem(connection: Connection, stripeItemId: string): Promise<void> {
  try {
    await connection.call('invoiceitems.delete', (stripe) => stripe.invoiceItems.del(stripeItemId))
  } catch (error) {
    if (classifyStripeError(error).code !== 'resource_missing') throw error
  }
}

/** The invoice of a subscription that Stripe has not finalized yet: it still takes items. */
export async function findDraft(
  connection: Connection,
  stripeSubscriptionId: string,
): Promise<string | null> {
  const page = await connection.call('invoices.list', (stripe) =>
    stripe.invoices.list({ subscription: stripeSubscriptionId, status: 'draft', limit: 1 }),
  )
  return page.data[0]?.id ?? null
}

/**
 * The draft of a last invoice that Stripe finalizes and collects by itself: for what no invoice of a subscription will
 * take up any more. Found again by our id in its metadata.
 */
export async function lastInvoice(connection: Connection, request: LastInvoiceRequest): Promise<string> {
  const { invoiceId, stripeCustomerId, createdMs } = request
  const found = await findInvoice(connection, { invoiceId, stripeCustomerId, createdMs })
  if (found !== null) return found
  const created = await connection.call('invoices.create', (stripe) =>
    stripe.invoices.create(
      {
        customer: stripeCustomerId,
        currency: request.currency.toLowerCase(),
        auto_advance: true,
        collection_method: request.collectionMethod,
        pending_invoice_items_behavior: 'exclude',
        discounts: '',
        automatic_tax: { enabled: request.automaticTax },
        metadata: { [metadataKeys.invoice]: invoiceId },
        ...(request.daysUntilDue !== undefined && { days_until_due: request.daysUntilDue }),
        ...(request.defaultPaymentMethodId !== null && {
          default_payment_method: request.defaultPaymentMethodId,
        }),
      },
      { idempotencyKey: `last:${invoiceId}:g${request.generation}` },
    ),
  )
  return created.id
}

/** Our invoices that a Stripe invoice has items of, from its lines' metadata. */
export async function invoicesOnLines(
  connection: Connection,
  stripeInvoiceId: string,
): Promise<readonly string[]> {
  const lines = await listLines(connection, stripeInvoiceId)
  return [...new Set(lines.flatMap(({ metadata }) => metadata[metadataKeys.invoice] ?? []))]
}
