import { LINE_ID } from './fleet.ts'
import { findings } from './contract.ts'
import type { Check, Findings } from './contract.ts'
import type { Fleet } from './fleet.ts'
import { leastCharge } from './prices.ts'
import type { InvoiceRow, LineRow } from './rows.ts'

const sum = <T>(rows: readonly T[], of: (row: T) => string): bigint =>
  rows.reduce((total, row) => total + BigInt(of(row)), 0n)

/** Parts sum to lines, lines to invoices, and those are what Stripe has; what was carried is in the ledger. */
export function checkTotals(fleet: Fleet): Check {
  const found = findings('lines sum to totals, and totals are those at Stripe')
  for (const invoice of fleet.ours.invoices) {
    found.examine()
    const lines = fleet.linesOf(invoice.id)
    checkLines(found, lines)
    checkInvoice(found, invoice, lines)
    checkAtStripe(found, fleet, { invoice, lines })
  }
  checkLedger(found, fleet)
  return found.check()
}

function checkLines(found: Findings, lines: readonly LineRow[]): void {
  for (const line of lines) {
    found.examine()
    const { amount_minor: amount, discount_minor: discount, tax_minor: tax, total_minor: total } = line
    const net = BigInt(amount) - BigInt(discount)
    const isNet = BigInt(total) === net || BigInt(total) === net + BigInt(tax)
    found.claim(isNet, () => `line ${line.id}: ${amount} − ${discount} is not ${total}`)
    if (line.details_count === 0) continue
    const isSum = BigInt(line.details_amount) === BigInt(amount) && BigInt(line.details_total) === net
    found.claim(isSum, () => `line ${line.id}: its parts sum to ${line.details_total}, it has ${net}`)
  }
}

function checkInvoice(found: Findings, invoice: InvoiceRow, lines: readonly LineRow[]): void {
  const { id, subtotal_minor: subtotal, discount_minor: discount, total_minor: total } = invoice
  const amounts = sum(lines, (line) => line.amount_minor)
  const discounts = sum(lines, (line) => line.discount_minor)
  const totals = sum(lines, (line) => line.total_minor)
  found.claim(
    amounts === BigInt(subtotal),
    () => `invoice ${id}: its lines sum to ${amounts}, its subtotal is ${subtotal}`,
  )
  found.claim(
    discounts === BigInt(discount),
    () => `invoice ${id}: discounts sum to ${discounts}, not ${discount}`,
  )
  found.claim(
    totals === BigInt(total),
    () => `invoice ${id}: its lines sum to ${totals}, its total is ${total}`,
  )
  const taxes = sum(lines, (line) => line.tax_minor)
  found.claim(
    taxes === BigInt(invoice.tax_minor),
    () => `invoice ${id}: taxes sum to ${taxes}, not ${invoice.tax_minor}`,
  )
  const isCollectable =
    total === '0' || BigInt(total) >= leastCharge(invoice.currency) || invoice.status === 'draft'
  found.claim(isCollectable, () => `invoice ${id} collects ${total}, which is too little`)
}

interface WithLines {
  readonly invoice: InvoiceRow
  readonly lines: readonly LineRow[]
}

function checkAtStripe(found: Findings, fleet: Fleet, { invoice, lines }: WithLines): void {
  const { id } = invoice
  for (const theirs of fleet.atStripe.get(id) ?? []) {
    // What is still a draft there may be behind.
    if (theirs.status === 'draft') continue
    found.examine()
    const net = BigInt(invoice.subtotal_minor) - BigInt(invoice.discount_minor)
    const same = (name: string, mine: string | bigint, there: string | number): void =>
      found.claim(
        String(mine) === String(there),
        () => `invoice ${id}: ${name} is ${mine}, at Stripe ${there}`,
      )
    same('currency', invoice.currency.toLowerCase(), theirs.currency)
    same('the total', invoice.total_minor, theirs.total)
    same('the subtotal', net, theirs.subtotal)
    same('the number', invoice.number ?? 'none', theirs.number ?? 'none')
    const items = fleet.theirs.items.get(theirs.id) ?? []
    same(
      'the sum of lines',
      net,
      items.reduce((total, { amount }) => total + amount, 0),
    )
    if (invoice.taxed) continue
    same('the number of lines', String(lines.length), items.length)
    const amounts = new Map(items.map((item) => [item.metadata[LINE_ID], item.amount]))
    for (const line of lines) {
      const wanted = BigInt(line.amount_minor) - BigInt(line.discount_minor)
      same(`line ${line.id}`, wanted, amounts.get(line.id) ?? 'none')
    }
  }
}

/** What leaves an invoice for the next is booked as it is shown, and what comes in is what was left. */
function checkLedger(found: Findings, fleet: Fleet): void {
  const balances = new Map<string, bigint>()
  for (const entry of fleet.ours.ledger) {
    if (entry.kind === 'customer_balance_payment') continue
    found.examine()
    const amount = BigInt(entry.amount_minor)
    const before = balances.get(entry.subscription_id) ?? 0n
    balances.set(entry.subscription_id, before + amount)
    // A voided invoice leaves to the next what it took over.
    const isOfVoid = entry.id.endsWith(':voided')
    const name = entry.kind === 'carried_in' || isOfVoid ? 'Carried balance' : 'Carried forward'
    const shown = fleet.linesOf(entry.invoice_id).filter((line) => line.name === name)
    found.claim(
      entry.id.includes(':unsent:') ||
        sum(shown, (line) => line.total_minor) === (isOfVoid ? amount : -amount),
      () =>
        `ledger entry ${entry.id} (${entry.kind} of ${amount}) is not what invoice ${entry.invoice_id} shows`,
    )
  }
  const carried = new Map<string, bigint>()
  for (const line of fleet.ours.lines) {
    const invoice = fleet.invoice.get(line.invoice_id)
    if (line.kind !== 'carried_balance' || invoice === undefined) continue
    const { subscription_id: subscription, status, substatus } = invoice
    // What a running invoice shows is booked by its closing.
    if (substatus === 'accruing') continue
    const taken = status === 'voided' ? 0n : BigInt(line.total_minor)
    carried.set(subscription, (carried.get(subscription) ?? 0n) - taken)
  }
  for (const [subscription, balance] of carried) {
    const booked = balances.get(subscription) ?? 0n
    found.claim(
      booked === balance,
      () => `${subscription}: the ledger carries ${booked}, its invoices ${balance}`,
    )
  }
}
