import { findings } from './contract.ts'
import type { Check, Findings } from './contract.ts'
import type { Fleet } from './fleet.ts'
import type { ClosingRow, InvoiceRow } from './rows.ts'

const iso = (at: number): string => new Date(at).toISOString()

/** Every closing that is due was made, once, with one invoice; that is at Stripe, once, and nothing else is. */
export function checkInvoices(fleet: Fleet): Check {
  const found = findings('one invoice for each closing, here and at Stripe')
  for (const { subscription, instants, correctionAt } of fleet.due) {
    const closings = fleet.closingsOf(subscription.id)
    const periods = closings.filter(({ reason }) => reason === 'period').map(({ period_at: at }) => at)
    sameOnce(found, { of: `subscription ${subscription.id}`, wanted: instants, made: periods })
    const corrections = closings
      .filter(({ reason }) => reason === 'correction')
      .map(({ period_at: at }) => at)
    const wanted = correctionAt === null ? [] : [correctionAt]
    sameOnce(found, { of: `the correction of ${subscription.id}`, wanted, made: corrections })
  }
  const closingsOf = new Map<string, ClosingRow[]>()
  for (const closing of fleet.ours.closings) {
    found.examine()
    checkClosing(found, fleet, closing)
    if (closing.invoice_id !== null)
      closingsOf.set(closing.invoice_id, [...(closingsOf.get(closing.invoice_id) ?? []), closing])
  }
  for (const invoice of fleet.ours.invoices) {
    found.examine()
    const closings = closingsOf.get(invoice.id)?.length ?? 0
    const isRunning = invoice.status === 'draft' || invoice.status === 'voided'
    found.claim(
      closings === 1 || (closings === 0 && isRunning),
      () => `invoice ${invoice.id} belongs to ${closings} closings`,
    )
    checkAtStripe(found, fleet, invoice)
  }
  for (const [ourId, invoices] of fleet.atStripe) {
    found.examine(invoices.length)
    const [first] = invoices
    found.claim(
      fleet.invoice.has(ourId),
      () => `${first?.id} is at Stripe without a row (${ourId || 'no id of ours'})`,
    )
  }
  return found.check()
}

interface Instants {
  readonly of: string
  readonly wanted: readonly number[]
  readonly made: readonly number[]
}

function sameOnce(found: Findings, { of, wanted, made }: Instants): void {
  for (const at of wanted) {
    found.examine()
    const count = made.filter((each) => each === at).length
    found.claim(count === 1, () => `${of} was closed ${count} times at ${iso(at)}`)
  }
  const expected = new Set(wanted)
  for (const at of made)
    found.claim(expected.has(at), () => `${of} was closed at ${iso(at)}, which is not due`)
}

function checkClosing(found: Findings, fleet: Fleet, closing: ClosingRow): void {
  const { invoice_id: id, generation, sequence, subscription_id: subscription } = closing
  found.claim(
    generation === 1 && sequence === 0,
    () => `the closing of ${subscription} at ${iso(closing.period_at)} was made again`,
  )
  if (id === null) return
  const invoice = fleet.invoice.get(id)
  found.claim(
    invoice?.subscription_id === subscription && invoice.closing_at === closing.period_at,
    () => `invoice ${id} is not of the closing at ${iso(closing.period_at)} of ${subscription}`,
  )
}

/** Stripe's states and those of ours that go with them. */
const pairs: Readonly<Record<string, readonly string[]>> = {
  draft: ['draft', 'issuing'],
  open: ['issued', 'overdue', 'payment_processing'],
  paid: ['paid'],
  void: ['voided'],
  uncollectible: ['uncollectible'],
}

function checkAtStripe(found: Findings, fleet: Fleet, invoice: InvoiceRow): void {
  const { id, status, total_minor: total } = invoice
  const there = fleet.atStripe.get(id) ?? []
  const isOptional =
    status === 'draft' || status === 'issuing' || (status === 'voided' && invoice.number === null)
  const isSettledHere = status === 'paid' && total === '0'
  found.claim(
    there.length === 1 || (there.length === 0 && (isOptional || isSettledHere)),
    () => `invoice ${id} (${status}, ${total}) is at Stripe ${there.length} times`,
  )
  for (const theirs of there) {
    found.claim(
      invoice.stripe_invoice_id === theirs.id,
      () =>
        `invoice ${id} names ${invoice.stripe_invoice_id ?? 'none'} at Stripe, which has it as ${theirs.id}`,
    )
    found.claim(
      pairs[theirs.status]?.includes(status) === true,
      () => `invoice ${id} is ${status}, and ${theirs.status} at Stripe (${theirs.id})`,
    )
  }
}

/** The lines of a price follow one another from its phase's start, and none goes beyond the end. */
export function checkPeriods(fleet: Fleet): Check {
  const found = findings('periods abut, and none is billed beyond the end')
  for (const { subscription, slices } of fleet.due) {
    const closings = fleet.closingsOf(subscription.id)
    let before: ClosingRow | null = null
    for (const closing of closings) {
      found.examine()
      const from = before?.period_at ?? subscription.active_from
      const isNext = closing.period_from === from
      found.claim(
        isNext,
        () => `${subscription.id}: the closing at ${iso(closing.period_at)} is not from ${iso(from)}`,
      )
      before = closing
    }
    const lines = closings
      .flatMap(({ invoice_id: id }) => fleet.linesOf(id))
      .filter(({ kind }) => kind === 'flat' || kind === 'usage')
    const end = subscription.active_to ?? Infinity
    for (const line of lines) {
      found.examine()
      // What begins with the subscription was billed before an end at the same instant was known.
      const begins = line.service_from === subscription.active_from
      const isWithin = line.kind === 'flat' ? begins || line.service_from < end : line.service_to <= end
      found.claim(isWithin, () => `line ${line.id} bills ${line.line_key} beyond the end at ${iso(end)}`)
    }
    const wanted = new Map(slices.map((slice) => [slice.lineKey, slice]))
    for (const slice of slices) {
      const made = lines.filter((line) => line.line_key === slice.lineKey)
      const [line] = made
      found.claim(
        made.length === 1,
        () => `${subscription.id}: ${slice.lineKey} was billed ${made.length} times`,
      )
      if (line === undefined) continue
      // A fee in advance was billed before anybody knew of the end.
      const ends = slice.isInAdvance ? [slice.service.to, slice.full.to] : [slice.service.to]
      found.claim(
        line.service_from === slice.service.from && ends.includes(line.service_to),
        () =>
          `line ${line.id} is for ${iso(line.service_from)} to ${iso(line.service_to)}: a gap or an overlap`,
      )
    }
    for (const { id, line_key: key } of lines)
      found.claim(wanted.has(key), () => `line ${id} bills ${key}, which is not due`)
  }
  return found.check()
}
