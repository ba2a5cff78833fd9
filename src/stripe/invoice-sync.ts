import type { Stripe } from 'stripe'
import { DomainError } from '../domain/errors.ts'
import type { Connection } from './client.ts'
import { classifyStripeError, stripeFailure } from './failures.ts'
import { compareWithStripe, lineParams, missingChunks, processorLines } from './invoice-lines.ts'
import type { ProcessorLine } from './invoice-lines.ts'
import { allLines, currentInvoice, retrieveInvoice } from './invoice-view.ts'
import { metadataKeys } from './metadata.ts'
import { isReplay } from './replay.ts'
import type { InvoiceQuery, InvoiceToSync, SyncedInvoice } from './types.ts'

/** Stripe's clock and ours may differ by a little; a search that starts too late makes a second invoice. */
const clockSkewMs = 3_600_000
const pageSize = 100

/**
 * The saga up to the point of no return; every step can be repeated. Keys are `<step>:<our id>:g<generation>`, so a
 * repeat within a day is answered from Stripe's store, and after it the metadata finds what was made (billing rule 31).
 */
export async function syncInvoice(connection: Connection, invoice: InvoiceToSync): Promise<SyncedInvoice> {
  const lines = processorLines(invoice)
  const found = await locate(connection, invoice)
  const target = found ?? (await create(connection, invoice))
  if (target.status === 'draft') {
    const filled = await addMissingLines(connection, { invoice, lines, target })
    compareWithStripe({ currency: invoice.currency, lines }, filled, await allLines(connection, filled))
  }
  return { stripeInvoiceId: target.id, adopted: found !== null }
}

/** Search lags at Stripe; the list does not. Newest first, all pages. */
export async function findInvoice(connection: Connection, query: InvoiceQuery): Promise<string | null> {
  return (await find(connection, query))?.id ?? null
}

async function find(connection: Connection, query: InvoiceQuery): Promise<Stripe.Invoice | null> {
  const { createdMs } = query
  const since = createdMs === null ? {} : { created: { gte: Math.floor((createdMs - clockSkewMs) / 1000) } }
  let after: string | undefined
  for (;;) {
    const page = await connection.call('invoices.list', (stripe) =>
      stripe.invoices.list({
        customer: query.stripeCustomerId,
        limit: pageSize,
        ...since,
        ...(after !== undefined && { starting_after: after }),
      }),
    )
    const match = page.data.find((each) => each.metadata?.[metadataKeys.invoice] === query.invoiceId)
    if (match !== undefined) return match
    after = page.data.at(-1)?.id
    if (!page.has_more || after === undefined) return null
  }
}

async function locate(connection: Connection, invoice: InvoiceToSync): Promise<Stripe.Invoice | null> {
  if (invoice.stripeInvoiceId !== null) {
    const known = await retrieveIfThere(connection, invoice.stripeInvoiceId)
    if (known !== null) return known
  } else if (invoice.mayExist === false) {
    return null
  }
  return find(connection, invoice)
}

async function retrieveIfThere(connection: Connection, id: string): Promise<Stripe.Invoice | null> {
  try {
    return await retrieveInvoice(connection, id)
  } catch (error) {
    if (error instanceof DomainError && error.code === 'stripe_invoice_not_found') return null
    throw error
  }
}

async function create(connection: Connection, invoice: InvoiceToSync): Promise<Stripe.Invoice> {
  const idempotencyKey = `create:${invoice.invoiceId}:g${invoice.generation}`
  try {
    const reply = await connection.call('invoices.create', (stripe) =>
      stripe.invoices.create(createParams(invoice), { idempotencyKey }),
    )
    if (!isReplay(reply)) return reply
    const made = await retrieveIfThere(connection, reply.id)
    if (made !== null) return made
    throw stripeFailure({
      kind: 'pinned',
      code: 'invoice_deleted',
      message: `the invoice of ${idempotencyKey} was deleted at Stripe`,
    })
  } catch (error) {
    // The key is spent. Where it made an invoice that the search was told not to look for, that is the one.
    const pinned = classifyStripeError(error).kind === 'pinned' && invoice.mayExist === false
    const made = pinned ? await find(connection, invoice) : null
    if (made === null) throw error
    return made
  }
}

function createParams(invoice: InvoiceToSync): Stripe.InvoiceCreateParams {
  return {
    customer: invoice.stripeCustomerId,
    currency: invoice.currency.toLowerCase(),
    collection_method: invoice.collectionMethod,
    // Finalizing and collecting are ours: nothing moves before the totals are equal, and dunning has one owner.
    auto_advance: false,
    pending_invoice_items_behavior: 'exclude',
    // Left out, the customer's discounts and the account's tax default would change our totals.
    discounts: '',
    automatic_tax: { enabled: invoice.automaticTax ?? false },
    metadata: {
      [metadataKeys.invoice]: invoice.invoiceId,
      [metadataKeys.subscription]: invoice.subscriptionId,
    },
    ...dueParams(invoice),
    ...(invoice.number !== undefined && { number: invoice.number }),
    ...(invoice.description !== undefined && { description: invoice.description.slice(0, 1500) }),
    ...(invoice.defaultPaymentMethodId !== undefined && {
      default_payment_method: invoice.defaultPaymentMethodId,
    }),
  }
}

function dueParams(invoice: InvoiceToSync): Stripe.InvoiceCreateParams {
  if (invoice.collectionMethod !== 'send_invoice') return {}
  if (invoice.dueMs !== undefined) return { due_date: Math.floor(invoice.dueMs / 1000) }
  return { days_until_due: invoice.daysUntilDue ?? 0 }
}

interface Filling {
  readonly invoice: InvoiceToSync
  readonly lines: readonly ProcessorLine[]
  readonly target: Stripe.Invoice
}

async function addMissingLines(
  connection: Connection,
  { invoice, lines, target }: Filling,
): Promise<Stripe.Invoice> {
  const existing = await allLines(connection, target)
  const present = new Set(existing.map((line) => line.metadata[metadataKeys.line] ?? ''))
  let filled = target
  for (const chunk of missingChunks(lines, present)) {
    const reply = await connection.call('invoices.add_lines', (stripe) =>
      stripe.invoices.addLines(
        target.id,
        { lines: chunk.lines.map(lineParams) },
        { idempotencyKey: `lines:${invoice.invoiceId}:g${invoice.generation}:${chunk.fingerprint}` },
      ),
    )
    filled = await currentInvoice(connection, reply)
  }
  return filled
}
