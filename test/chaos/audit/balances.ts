import { groupBy } from './at-stripe.ts'
import { findings } from './contract.ts'
import type { Check, Findings } from './contract.ts'
import type { Fleet } from './fleet.ts'
import { leastCharge } from './prices.ts'
import type { ClosingRow, InvoiceRow, LedgerRow, LineRow } from './rows.ts'

const sum = (amounts: readonly string[]): bigint =>
  amounts.reduce((total, amount) => total + BigInt(amount), 0n)
const amountOf = (entry: LedgerRow): string => entry.amount_minor

/** What an invoice leaves when it is voided, or to the next, is booked whenever that happens and not with its closing. */
const isOfLater = ({ id }: LedgerRow): boolean => id.endsWith(':voided') || id.includes(':unsent:')

/** Whoever books while a closing runs may come before or after it. */
const MEANWHILE_MS = 60_000

/**
 * What was carried is taken over by the very next invoice, and an invoice leaves something to the next only where that is
 * less than Stripe collects. Elsewhere the ledger is held against what invoices show; this says what they have to show.
 */
export function checkBalances(fleet: Fleet): Check {
  const found = findings('what is carried is taken over, and only what is too little is carried')
  const carrying = fleet.ours.ledger.filter(({ kind }) => kind.startsWith('carried') || kind === 'remainder')
  const ledger = groupBy(carrying, ({ subscription_id: id }) => id)
  for (const { id } of fleet.ours.subscriptions) {
    const entries = ledger.get(id) ?? []
    const own = groupBy(
      entries.filter((entry) => !isOfLater(entry)),
      ({ invoice_id: invoiceId }) => invoiceId ?? '',
    )
    const walked = new Set<string | null>()
    let chain = 0n
    for (const closing of fleet.closingsOf(id)) {
      const invoice = fleet.invoice.get(closing.invoice_id ?? '')
      if (invoice === undefined) continue
      found.examine()
      const booked = own.get(invoice.id) ?? []
      const later = entries.filter((entry) => isOfLater(entry) && walked.has(entry.invoice_id))
      const balances = balancesAt(closing, later).map((balance) => chain + balance)
      checkBooked(found, { invoice, lines: fleet.linesOf(invoice.id), booked, balances })
      chain += sum(booked.map(amountOf))
      walked.add(invoice.id)
    }
  }
  return found.check()
}

/** What later bookings had come to when the period was closed: one of these. */
function balancesAt({ closed_at: at }: ClosingRow, later: readonly LedgerRow[]): readonly bigint[] {
  return [-MEANWHILE_MS, MEANWHILE_MS].map((shiftMs) =>
    sum(later.filter(({ created_at: bookedAt }) => bookedAt < at + shiftMs).map(amountOf)),
  )
}

interface Booked {
  readonly invoice: InvoiceRow
  readonly lines: readonly LineRow[]
  readonly booked: readonly LedgerRow[]
  /** What the invoice may have found. */
  readonly balances: readonly bigint[]
}

function checkBooked(found: Findings, { invoice, lines, booked, balances }: Booked): void {
  const { id, currency } = invoice
  const taken = -sum(booked.filter(({ kind }) => kind === 'carried_in').map(amountOf))
  found.claim(
    balances.includes(taken),
    () => `invoice ${id} took over ${taken}, where ${[...new Set(balances)].join(' or ')} was carried`,
  )
  const billed = lines
    .filter(({ kind }) => kind !== 'carried_balance')
    .reduce((total, line) => total + BigInt(line.amount_minor) - BigInt(line.discount_minor), 0n)
  const due = billed + taken
  const wanted = due < leastCharge(currency) ? due : 0n
  const left = sum(booked.filter(({ kind }) => kind !== 'carried_in').map(amountOf))
  found.claim(left === wanted, () => `invoice ${id} leaves ${left} to the next, ${wanted} is right of ${due}`)
}
