import type { Stripe } from 'stripe'
import { currency, type Currency } from '../domain/currency.ts'
import { fromProcessorMinor } from '../domain/money.ts'
import { DomainError } from '../domain/errors.ts'
import type { Connection } from './client.ts'
import { classifyStripeError } from './failures.ts'
import { metadataKeys } from './metadata.ts'
import { paymentOf } from './payment-outcome.ts'
import { isReplay } from './replay.ts'
import type { PaymentOutcome, StripeInvoiceStatus, StripeInvoiceView } from './types.ts'

/** Members that Stripe sends only when asked: the payments, down to what became of each (four levels, its limit). */
export const invoiceExpand = ['payments.data.payment.payment_intent']

const pageSize = 100

/** Errors: stripe_invoice_not_found. */
export async function retrieveInvoice(
  connection: Connection,
  stripeInvoiceId: string,
): Promise<Stripe.Invoice> {
  try {
    return await connection.call('invoices.retrieve', (stripe) =>
      stripe.invoices.retrieve(stripeInvoiceId, { expand: invoiceExpand }),
    )
  } catch (error) {
    if (classifyStripeError(error).code !== 'resource_missing') throw error
    throw new DomainError('stripe_invoice_not_found', `Stripe has no invoice ${stripeInvoiceId}`)
  }
}

export async function getInvoice(
  connection: Connection,
  stripeInvoiceId: string,
): Promise<StripeInvoiceView> {
  return viewOf(connection, await retrieveInvoice(connection, stripeInvoiceId))
}

/**
 * A reply as a view. A stored reply (same idempotency key again) tells what the invoice was: the invoice is fetched.
 */
export async function currentView(
  connection: Connection,
  reply: Stripe.Response<Stripe.Invoice>,
): Promise<StripeInvoiceView> {
  return viewOf(connection, await currentInvoice(connection, reply))
}

/** The invoice of a reply as it is now. */
export function currentInvoice(
  connection: Connection,
  reply: Stripe.Response<Stripe.Invoice>,
): Promise<Stripe.Invoice> {
  return isReplay(reply) ? retrieveInvoice(connection, reply.id) : Promise.resolve(reply)
}

/** `payment` replaces what the payments say: a refusal that left no payment behind. */
export async function viewOf(
  connection: Connection,
  invoice: Stripe.Invoice,
  payment: PaymentOutcome = paymentOf(invoice),
): Promise<StripeInvoiceView> {
  const c = currency(invoice.currency.toUpperCase())
  const minor = (amount: number): bigint => fromProcessorMinor(BigInt(amount), c)
  const taxMinor = minor(addedTax(invoice.total_taxes))
  const { finalized_at: finalizedAt, paid_at: paidAt } = invoice.status_transitions
  return {
    stripeInvoiceId: invoice.id,
    invoiceId: invoice.metadata?.[metadataKeys.invoice] ?? null,
    status: statusOf(invoice),
    number: invoice.number,
    currency: c.code,
    subtotalMinor: minor(invoice.subtotal),
    taxMinor,
    totalMinor: minor(invoice.total),
    amountPaidMinor: minor(invoice.amount_paid),
    amountRemainingMinor: minor(invoice.amount_remaining),
    balanceAppliedMinor: minor(appliedBalance(invoice)),
    lineTax: taxMinor === 0n ? {} : taxByLine(await allLines(connection, invoice), c),
    hostedUrl: invoice.hosted_invoice_url ?? null,
    pdfUrl: invoice.invoice_pdf ?? null,
    dueMs: toMs(invoice.due_date),
    finalizedMs: toMs(finalizedAt),
    paidMs: toMs(paidAt),
    payment,
  }
}

/** Every line: those in the invoice are only its first ten. */
export async function allLines(
  connection: Connection,
  invoice: Stripe.Invoice,
): Promise<readonly Stripe.InvoiceLineItem[]> {
  if (!invoice.lines.has_more) return invoice.lines.data
  return listLines(connection, invoice.id)
}

async function listLines(
  connection: Connection,
  stripeInvoiceId: string,
): Promise<readonly Stripe.InvoiceLineItem[]> {
  const lines: Stripe.InvoiceLineItem[] = []
  for (;;) {
    const last = lines.at(-1)
    const page = await connection.call('invoices.lines', (stripe) =>
      stripe.invoices.listLineItems(stripeInvoiceId, {
        limit: pageSize,
        ...(last !== undefined && { starting_after: last.id }),
      }),
    )
    lines.push(...page.data)
    if (!page.has_more || page.data.length === 0) return lines
  }
}

const statuses: readonly StripeInvoiceStatus[] = ['draft', 'open', 'paid', 'uncollectible', 'void']

function statusOf({ id, status }: Stripe.Invoice): StripeInvoiceStatus {
  const known = statuses.find((each) => each === status)
  if (known !== undefined) return known
  throw new DomainError('internal_error', `Stripe invoice ${id} is ${status ?? 'without status'}`)
}

type LineTax = Pick<Stripe.InvoiceLineItem.Tax, 'amount' | 'tax_behavior'>

/** Tax on top; inclusive tax is a part of the price already. */
function addedTax(taxes: readonly LineTax[] | null): number {
  return (taxes ?? []).reduce((sum, tax) => sum + (tax.tax_behavior === 'inclusive' ? 0 : tax.amount), 0)
}

function taxByLine(lines: readonly Stripe.InvoiceLineItem[], c: Currency): Readonly<Record<string, bigint>> {
  const entries = lines.map((line) => [
    line.metadata[metadataKeys.line] ?? line.id,
    fromProcessorMinor(BigInt(addedTax(line.taxes)), c),
  ])
  return Object.fromEntries(entries) as Record<string, bigint>
}

/** A credit balance is negative; it moves towards zero by what it paid. */
function appliedBalance(invoice: Stripe.Invoice): number {
  return invoice.ending_balance === null ? 0 : invoice.ending_balance - invoice.starting_balance
}

function toMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000
}
