import type { Stripe } from 'stripe'
import { DomainError, orNull } from '../domain/errors.ts'
import type { Connection } from './client.ts'
import { classifyStripeError, draftDeleted, stripeFailure } from './failures.ts'
import { dueParams, isTaxAsked, refreshDraft, syncLines } from './invoice-draft.ts'
import { compareWithStripe, processorLines } from './invoice-lines.ts'
import { allLines, retrieveInvoice } from './invoice-view.ts'
import { metadataKeys } from './metadata.ts'
import { pagesOf, madeSince } from './pages.ts'
import { isReplay } from './replay.ts'
import type { InvoiceQuery, InvoiceToSync, SyncedInvoice } from './invoice-types.ts'

/**
 * The saga up to the point of no return; every step can be repeated. Keys are `<step>:<our id>:g<generation>`, so a
 * repeat within a day is answered from Stripe's store, and after it the metadata finds what was made (billing rule 31).
 */
export async function syncInvoice(connection: Connection, invoice: InvoiceToSync): Promise<SyncedInvoice> {
  const found = await locate(connection, invoice)
  const target = found ?? (await create(connection, invoice))
  if (target.status === 'draft') await fill(connection, invoice, { target, isNew: found === null })
  // Finalized by an earlier run, or by a person while it was not what we are about to collect.
  else if (target.status !== 'void') await compare(connection, invoice, target)
  return { stripeInvoiceId: target.id, adopted: found !== null, isFinal: target.status !== 'draft' }
}

/** An invoice that still grows: its draft is created once, then kept in line with ours. Errors: stripe_draft_finalized. */
export async function syncDraft(connection: Connection, invoice: InvoiceToSync): Promise<SyncedInvoice> {
  const found = await locate(connection, invoice)
  const target = found ?? (await create(connection, invoice))
  if (target.status !== 'draft') {
    throw new DomainError(
      'stripe_draft_finalized',
      `the draft ${target.id} was finalized at Stripe and is ${target.status ?? 'unknown'} there`,
      { details: { stripeInvoiceId: target.id, status: target.status } },
    )
  }
  await fill(connection, invoice, { target, isNew: found === null })
  return { stripeInvoiceId: target.id, adopted: found !== null, isFinal: false }
}

async function fill(
  connection: Connection,
  invoice: InvoiceToSync,
  { target, isNew }: { readonly target: Stripe.Invoice; readonly isNew: boolean },
): Promise<void> {
  if (!isNew) await refreshDraft(connection, invoice, target)
  const filled = await syncLines(connection, { invoice, lines: processorLines(invoice), target })
  await compare(connection, invoice, filled)
}

async function compare(
  connection: Connection,
  invoice: InvoiceToSync,
  theirs: Stripe.Invoice,
): Promise<void> {
  const ours = { currency: invoice.currency, lines: processorLines(invoice) }
  compareWithStripe(ours, theirs, await allLines(connection, theirs))
}

/** Newest first, all pages. */
export async function findInvoice(connection: Connection, query: InvoiceQuery): Promise<string | null> {
  return (await find(connection, query))?.id ?? null
}

async function find(connection: Connection, query: InvoiceQuery): Promise<Stripe.Invoice | null> {
  const filter = { customer: query.stripeCustomerId, ...madeSince(query.createdMs) }
  const pages = pagesOf((paging) =>
    connection.call('invoices.list', (stripe) => stripe.invoices.list({ ...filter, ...paging })),
  )
  for await (const page of pages) {
    const match = page.find(
      (each) => each.metadata?.[metadataKeys.invoice] === query.invoiceId && !isDiscarded(each, query),
    )
    if (match !== undefined) return match
  }
  return null
}

/** Voided by hand while its period was open: what it is now is collected with another. */
const isDiscarded = ({ status }: Stripe.Invoice, { isGrowing }: Pick<InvoiceQuery, 'isGrowing'>): boolean =>
  isGrowing === true && status === 'void'

async function locate(connection: Connection, invoice: InvoiceToSync): Promise<Stripe.Invoice | null> {
  if (invoice.stripeInvoiceId !== null) {
    const known = await retrieveIfThere(connection, invoice.stripeInvoiceId)
    if (known !== null && !isDiscarded(known, invoice)) return known
    if (known === null) throw draftDeleted(invoice.stripeInvoiceId)
  }
  if (invoice.mayExist === false) return null
  return find(connection, invoice)
}

async function retrieveIfThere(connection: Connection, id: string): Promise<Stripe.Invoice | null> {
  return await orNull(retrieveInvoice(connection, id), 'stripe_invoice_not_found')
}

async function create(connection: Connection, invoice: InvoiceToSync): Promise<Stripe.Invoice> {
  // Stripe compares what is sent under a key: without tax it is another request.
  const variant = invoice.taxSkipped === true ? ':untaxed' : ''
  const idempotencyKey = `create:${invoice.invoiceId}:g${invoice.generation}${variant}`
  try {
    const reply = await connection.call('invoices.create', (stripe) =>
      stripe.invoices.create(createParams(invoice), { idempotencyKey }),
    )
    if (!isReplay(reply)) return reply
    const made = await retrieveIfThere(connection, reply.id)
    if (made !== null && !isDiscarded(made, invoice)) return made
    throw stripeFailure({
      kind: 'pinned',
      code: 'invoice_deleted',
      message: `the invoice of ${idempotencyKey} was deleted or voided at Stripe`,
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
    automatic_tax: { enabled: isTaxAsked(invoice) },
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
    ...paymentSettings(invoice),
  }
}

type MethodType = NonNullable<
  Exclude<Stripe.InvoiceCreateParams.PaymentSettings['payment_method_types'], ''>
>[number]

/** The names are Stripe's and newer than its client now and then: one it does not know is refused by Stripe. */
function paymentSettings({ paymentMethodTypes }: InvoiceToSync): Stripe.InvoiceCreateParams {
  if (paymentMethodTypes === undefined || paymentMethodTypes.length === 0) return {}
  return { payment_settings: { payment_method_types: [...paymentMethodTypes] as MethodType[] } }
}
