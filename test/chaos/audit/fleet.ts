import { groupBy } from './at-stripe.ts'
import type { TheirSide, StripeInvoice } from './at-stripe.ts'
import { closingInstants, plus, slices } from './calendar.ts'
import type { Slice } from './calendar.ts'
import type { Announced } from './contract.ts'
import type { ClosingRow, CustomerRow, InvoiceRow, LineRow, OurSide, SubscriptionRow } from './rows.ts'
import type { AcceptedEvent } from './usage.ts'

export const INVOICE_ID = 'perennial_invoice_id'
export const LINE_ID = 'perennial_line_id'

/** Both sides, arranged for looking up. */
export interface Fleet {
  readonly ours: OurSide
  readonly theirs: TheirSide
  readonly accepted: ReadonlyMap<string, AcceptedEvent>
  readonly announced: Announced
  readonly customer: (id: string) => CustomerRow
  readonly invoice: ReadonlyMap<string, InvoiceRow>
  readonly linesOf: (invoiceId: string | null) => readonly LineRow[]
  readonly closingsOf: (subscriptionId: string) => readonly ClosingRow[]
  readonly atStripe: ReadonlyMap<string, readonly StripeInvoice[]>
  /** What each subscription has to have closed and billed by now. */
  readonly due: readonly Due[]
}

interface Due {
  readonly subscription: SubscriptionRow
  readonly customer: CustomerRow
  /** Closing instants that are over, the wait for late usage included. */
  readonly instants: readonly number[]
  /** After the end, when late usage was last looked for; null where it is not over, or nobody looks. */
  readonly correctionAt: number | null
  readonly slices: readonly Slice[]
}

interface Sides {
  readonly ours: OurSide
  readonly theirs: TheirSide
  readonly accepted: ReadonlyMap<string, AcceptedEvent>
  readonly announced: Announced
}

export function arrange({ ours, theirs, accepted, announced }: Sides): Fleet {
  const customers = new Map(ours.customers.map((row) => [row.id, row]))
  const customer = (id: string): CustomerRow => {
    const row = customers.get(id)
    if (row === undefined) throw new Error(`customer ${id} is missing`)
    return row
  }
  const lines = groupBy(ours.lines, (line) => line.invoice_id)
  const closings = groupBy(ours.closings, (closing) => closing.subscription_id)
  return {
    ours,
    theirs,
    accepted,
    announced,
    customer,
    invoice: new Map(ours.invoices.map((row) => [row.id, row])),
    linesOf: (invoiceId) => lines.get(invoiceId ?? '') ?? [],
    closingsOf: (subscriptionId) => closings.get(subscriptionId) ?? [],
    atStripe: groupBy(theirs.invoices, ({ metadata }) => metadata[INVOICE_ID] ?? ''),
    due: ours.subscriptions.map((row) => dueOf(row, customer(row.customer_id), closings.get(row.id) ?? [])),
  }
}

function dueOf(subscription: SubscriptionRow, customer: CustomerRow, closings: readonly ClosingRow[]): Due {
  const zone = subscription.timezone
  const { active_from: start, active_to: end } = subscription
  const waited = plus(customer.now, customer.collection_interval, { zone, factor: -1 })
  // Canceled at the instant of its start, on a clock that stood still: what was billed of the start before it stays.
  const began = end === start && closings.some(({ period_at: at }) => at === start)
  const lived = began ? { ...subscription, active_to: null } : subscription
  const until = began ? start : waited
  const instants = closingInstants(lived, until)
  const looksBack = customer.late_policy === 'bill_on_next' && end !== null && end > start
  const lookedAt = looksBack ? plus(end, customer.late_window, { zone }) : Infinity
  return {
    subscription,
    customer,
    instants,
    correctionAt: lookedAt <= customer.now ? lookedAt : null,
    slices: slices(lived, instants),
  }
}
