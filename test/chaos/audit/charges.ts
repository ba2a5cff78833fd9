import { groupBy } from './at-stripe.ts'
import { findings } from './contract.ts'
import type { Check } from './contract.ts'
import { INVOICE_ID } from './fleet.ts'
import type { Fleet } from './fleet.ts'

/** No charge without an invoice, no paid invoice without its charge, none charged twice, nothing paid back. */
export function checkCharges(fleet: Fleet): Check {
  const found = findings('charges and invoices agree')
  const { theirs } = fleet
  const charged = groupBy(
    theirs.charges.filter(({ status }) => status === 'succeeded'),
    ({ _invoice: invoice }) => invoice ?? '',
  )
  const invoices = new Map(theirs.invoices.map((invoice) => [invoice.id, invoice]))
  for (const charge of theirs.charges) {
    found.examine()
    const invoice = invoices.get(charge._invoice ?? '')
    const isOurs = fleet.invoice.has(invoice?.metadata[INVOICE_ID] ?? '')
    found.claim(isOurs, () => `charge ${charge.id} over ${charge.amount} has no invoice of ours`)
    found.claim(charge.amount_refunded === 0, () => `charge ${charge.id} was refunded`)
    if (invoice === undefined || charge.status !== 'succeeded') continue
    found.claim(
      invoice.status === 'paid',
      () => `charge ${charge.id} paid ${invoice.id}, which is ${invoice.status}`,
    )
    found.claim(
      charge.amount === invoice.amount_due && charge.currency === invoice.currency,
      () => `charge ${charge.id} is over ${charge.amount}, its invoice over ${invoice.amount_due}`,
    )
  }
  for (const [id, charges] of charged)
    found.claim(charges.length === 1, () => `invoice ${id || '(none)'} was charged ${charges.length} times`)
  const announced = new Set(fleet.announced.outOfBand)
  for (const invoice of theirs.invoices) {
    found.examine()
    const { id, total, amount_due: due } = invoice
    const applied = (invoice.ending_balance ?? invoice.starting_balance) - invoice.starting_balance
    found.claim(
      invoice.status === 'draft' || due === total - applied,
      () => `${id}: ${due} is due of ${total}, with ${applied} of the customer's balance`,
    )
    const row = fleet.invoice.get(invoice.metadata[INVOICE_ID] ?? '')
    if (invoice.status !== 'paid' || row === undefined) continue
    const isPaid = due === 0 || charged.has(id) || announced.has(id)
    found.claim(isPaid, () => `${id} (invoice ${row.id}) is paid, and nobody was charged`)
    found.claim(
      row.paid_minor === String(due),
      () => `invoice ${row.id} booked ${row.paid_minor}, paid were ${due}`,
    )
  }
  for (const row of fleet.ours.invoices) {
    if (row.status !== 'paid' || row.total_minor === '0') continue
    found.examine()
    const there = fleet.atStripe.get(row.id) ?? []
    found.claim(
      there.some(({ status }) => status === 'paid'),
      () => `invoice ${row.id} is paid here only`,
    )
  }
  for (const { id } of theirs.refunds) found.claim(false, () => `refund ${id} was made by nobody`)
  for (const { id } of theirs.creditNotes) found.claim(false, () => `credit note ${id} was made by nobody`)
  return found.check()
}

/** Numbers of a sequence are given once each, without a gap, and the sequence goes on after the last. */
export function checkNumbers(fleet: Fleet): Check {
  const found = findings('invoice numbers run without a gap')
  const numbered = fleet.ours.invoices.filter(({ number }) => number !== null)
  for (const { prefix, next_number: next } of fleet.ours.sequences) {
    const given = numbered
      .map(({ number }) => new RegExp(`^${prefix}-(\\d+)$`).exec(number ?? '')?.[1])
      .flatMap((digits) => (digits === undefined ? [] : [Number(digits)]))
    const times = groupBy(given, String)
    for (let wanted = 1; wanted < Number(next); wanted += 1) {
      found.examine()
      const count = times.get(String(wanted))?.length ?? 0
      found.claim(count === 1, () => `number ${prefix}-${wanted} was given ${count} times`)
    }
    const beyond = given.filter((number) => number >= Number(next))
    found.claim(beyond.length === 0, () => `${prefix}: ${beyond.join(', ')} are beyond the sequence`)
  }
  const prefixes = fleet.ours.sequences.map(({ prefix }) => prefix)
  for (const { id, number } of numbered)
    found.claim(
      prefixes.some((prefix) => number?.startsWith(`${prefix}-`) === true),
      () => `invoice ${id} has the number ${number} of no sequence`,
    )
  return found.check()
}
