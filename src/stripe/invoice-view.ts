import type { Stripe } from 'stripe'
import { currency, type Currency } from '../domain/currency.ts'
import { roundProcessorMinor } from '../domain/money.ts'
import { DomainError } from '../domain/errors.ts'
import type { Connection } from './client.ts'
import { callExpanding } from './expanding.ts'
import { classifyStripeError } from './failures.ts'
import { metadataKeys } from './metadata.ts'
import { pagesOf } from './pages.ts'
import { paymentOf } from './payment-outcome.ts'
import { isReplay } from './replay.ts'
import type { LineTax, PaymentOutcome, StripeInvoiceStatus, StripeInvoiceView } from './invoice-types.ts'

/** Errors: stripe_invoice_not_found. */
export async function retrieveInvoice(
  connection: Connection,
  stripeInvoiceId: string,
): Promise<Stripe.Invoice> {
  try {
    return await callExpanding(connection, 'invoices.retrieve', (stripe, expand) =>
      stripe.invoices.retrieve(stripeInvoiceId, { expand }),
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
  const minor = (amount: number): bigint => roundProcessorMinor(BigInt(amount), c)
  const subtotalMinor = minor(invoice.subtotal)
  const totalMinor = minor(invoice.total)
  // Of rounded amounts the tax is what makes them add up.
  const isRounded = BigInt(invoice.total) % c.processorFactor !== 0n
  const addedMinor = isRounded ? totalMinor - subtotalMinor : minor(addedTax(invoice.total_taxes))
  const taxMinor = addedMinor + minor(includedTax(invoice.total_taxes))
  const { finalized_at: finalizedAt, paid_at: paidAt } = invoice.status_transitions
  return {
    stripeInvoiceId: invoice.id,
    invoiceId: invoice.metadata?.[metadataKeys.invoice] ?? null,
    status: statusOf(invoice),
    number: invoice.number,
    currency: c.code,
    subtotalMinor,
    taxMinor,
    totalMinor,
    amountPaidMinor: minor(invoice.amount_paid),
    amountRemainingMinor: minor(invoice.amount_remaining),
    amountOverpaidMinor: minor(invoice.amount_overpaid ?? 0),
    balanceAppliedMinor: minor(appliedBalance(invoice)),
    lineTax: taxMinor === 0n ? {} : taxByLine(await allLines(connection, invoice), c),
    isRounded,
    isTaxed: invoice.automatic_tax.enabled,
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

export async function listLines(
  connection: Connection,
  stripeInvoiceId: string,
): Promise<readonly Stripe.InvoiceLineItem[]> {
  const pages = pagesOf((paging) =>
    connection.call('invoices.lines', (stripe) => stripe.invoices.listLineItems(stripeInvoiceId, paging)),
  )
  const lines: Stripe.InvoiceLineItem[] = []
  for await (const page of pages) lines.push(...page)
  return lines
}

const statuses: readonly StripeInvoiceStatus[] = ['draft', 'open', 'paid', 'uncollectible', 'void']

function statusOf({ id, status }: Stripe.Invoice): StripeInvoiceStatus {
  const known = statuses.find((each) => each === status)
  if (known !== undefined) return known
  throw new DomainError('internal_error', `Stripe invoice ${id} is ${status ?? 'without status'}`)
}

type Tax = Pick<Stripe.InvoiceLineItem.Tax, 'amount' | 'tax_behavior'>

const sumOf = (taxes: readonly Tax[] | null, isIncluded: boolean): number =>
  (taxes ?? [])
    .filter((tax) => (tax.tax_behavior === 'inclusive') === isIncluded)
    .reduce((sum, tax) => sum + tax.amount, 0)

/** Tax on top of the prices. */
const addedTax = (taxes: readonly Tax[] | null): number => sumOf(taxes, false)
/** Tax that the prices hold. */
const includedTax = (taxes: readonly Tax[] | null): number => sumOf(taxes, true)

/** Rounded as running sums, so that the lines add up to the invoice. */
function taxByLine(lines: readonly Stripe.InvoiceLineItem[], c: Currency): Readonly<Record<string, LineTax>> {
  const added = runningRounder(c)
  const included = runningRounder(c)
  const entries = lines.map((line): [string, LineTax] => {
    const includedMinor = included(includedTax(line.taxes))
    const taxMinor = added(addedTax(line.taxes)) + includedMinor
    return [line.metadata[metadataKeys.line] ?? line.id, { taxMinor, includedMinor }]
  })
  return Object.fromEntries(entries)
}

function runningRounder(c: Currency): (amount: number) => bigint {
  let sum = 0n
  let rounded = 0n
  return (amount) => {
    sum += BigInt(amount)
    const before = rounded
    rounded = roundProcessorMinor(sum, c)
    return rounded - before
  }
}

/** A credit balance is negative; it moves towards zero by what it paid. */
function appliedBalance(invoice: Stripe.Invoice): number {
  return invoice.ending_balance === null ? 0 : invoice.ending_balance - invoice.starting_balance
}

function toMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000
}
