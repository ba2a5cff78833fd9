import type { Stripe } from 'stripe'
import type { Connection } from './client.ts'
import { fingerprintOf } from './fingerprint.ts'
import { lineParams } from './invoice-lines.ts'
import type { ProcessorLine } from './invoice-lines.ts'
import { allLines, currentInvoice } from './invoice-view.ts'
import { addMissingLines } from './line-adding.ts'
import { treatmentOf } from './line-folding.ts'
import { metadataKeys } from './metadata.ts'
import type { InvoiceToSync } from './invoice-types.ts'

/** Lines in one request, as for adding them. */
const linesPerCall = 100

interface Filling {
  readonly invoice: InvoiceToSync
  readonly lines: readonly ProcessorLine[]
  readonly target: Stripe.Invoice
}

/** The run is part of the key: a line that goes back to an earlier amount is another request than the first one. */
function keyOf(
  step: string,
  { invoiceId, generation, run = 0 }: InvoiceToSync,
  fingerprint?: string,
): string {
  const parts = [step, invoiceId, `g${generation}`, ...(run > 0 ? [`r${run}`] : [])]
  return [...parts, ...(fingerprint === undefined ? [] : [fingerprint])].join(':')
}

/**
 * Makes the lines of a draft ours: those that vanished are removed, those that changed are updated, those that are missing
 * are added. Lines that are not ours stay; the comparison after it refuses them. An invoice that never ran is only filled:
 * what differs there was changed at Stripe by hand, and a person has to look.
 */
export async function syncLines(connection: Connection, filling: Filling): Promise<Stripe.Invoice> {
  const { invoice, lines, target } = filling
  const existing = await allLines(connection, target)
  const vanished = (invoice.run ?? 0) > 0 ? vanishedLines(lines, existing) : []
  const kept = existing.filter((line) => !vanished.includes(line))
  const present = new Set(kept.map((line) => lineIdOf(line) ?? ''))
  let synced = target
  if ((invoice.run ?? 0) > 0) {
    synced = (await removeLines(connection, filling, vanished)) ?? synced
    synced = (await updateChanged(connection, filling, kept)) ?? synced
  }
  const added = await addMissingLines(connection, {
    target,
    lines,
    present,
    keyOf: (fingerprint) => keyOf('lines', invoice, fingerprint),
  })
  return added ?? synced
}

/** What one call takes, in order; the same content has the same fingerprint. */
function chunksOf<T>(
  items: readonly T[],
): readonly { readonly items: readonly T[]; readonly fingerprint: string }[] {
  return Array.from({ length: Math.ceil(items.length / linesPerCall) }, (_, index) => {
    const chunk = items.slice(index * linesPerCall, (index + 1) * linesPerCall)
    return { items: chunk, fingerprint: fingerprintOf(chunk) }
  })
}

type TheirLines = readonly Stripe.InvoiceLineItem[]

const lineIdOf = (line: Stripe.InvoiceLineItem): string | undefined => line.metadata[metadataKeys.line]

/** Those of ours that are none any more, or are taxed otherwise now: only making a line tells Stripe how. */
function vanishedLines(lines: readonly ProcessorLine[], existing: TheirLines): TheirLines {
  const ours = new Map(lines.map((line) => [line.lineId, line]))
  return existing.filter((line) => {
    const lineId = lineIdOf(line)
    const own = lineId === undefined ? undefined : ours.get(lineId)
    if (own === undefined) return lineId !== undefined
    return treatmentOf(own) !== (line.metadata[metadataKeys.tax] ?? '')
  })
}

async function removeLines(
  connection: Connection,
  { invoice, target }: Filling,
  vanished: TheirLines,
): Promise<Stripe.Invoice | null> {
  let changed: Stripe.Invoice | null = null
  for (const { items, fingerprint } of chunksOf(vanished.map(({ id }) => ({ id, behavior: 'delete' })))) {
    const reply = await connection.call('invoices.remove_lines', (stripe) =>
      stripe.invoices.removeLines(
        target.id,
        { lines: [...items] },
        { idempotencyKey: keyOf('remove', invoice, fingerprint) },
      ),
    )
    changed = await currentInvoice(connection, reply)
  }
  return changed
}

async function updateChanged(
  connection: Connection,
  { invoice, lines, target }: Filling,
  existing: TheirLines,
): Promise<Stripe.Invoice | null> {
  const theirs = new Map(existing.map((line) => [lineIdOf(line), line]))
  const changes = lines.flatMap((line) => {
    const there = theirs.get(line.lineId)
    return there === undefined || isSame(line, there) ? [] : [{ id: there.id, ...lineParams(line) }]
  })
  let changed: Stripe.Invoice | null = null
  for (const { items, fingerprint } of chunksOf(changes)) {
    const reply = await connection.call('invoices.update_lines', (stripe) =>
      stripe.invoices.updateLines(
        target.id,
        { lines: [...items] },
        { idempotencyKey: keyOf('update', invoice, fingerprint) },
      ),
    )
    changed = await currentInvoice(connection, reply)
  }
  return changed
}

function isSame(ours: ProcessorLine, theirs: Stripe.InvoiceLineItem): boolean {
  const { amount, description, period } = lineParams(ours)
  return (
    theirs.amount === amount &&
    theirs.description === description &&
    theirs.period.start === period?.start &&
    theirs.period.end === period.end
  )
}

/** How it is collected may have changed since the draft was made; the invoice is created with what holds then. */
export async function refreshDraft(
  connection: Connection,
  invoice: InvoiceToSync,
  target: Stripe.Invoice,
): Promise<void> {
  const isSameMethod = target.collection_method === invoice.collectionMethod
  const isSameTax = target.automatic_tax.enabled === isTaxAsked(invoice)
  if ((invoice.run ?? 0) === 0 || (isSameMethod && isSameTax)) return
  await connection.call('invoices.update', (stripe) =>
    stripe.invoices.update(
      target.id,
      {
        collection_method: invoice.collectionMethod,
        automatic_tax: { enabled: isTaxAsked(invoice) },
        ...dueParams(invoice),
      },
      {
        idempotencyKey: keyOf('settings', invoice, `${invoice.collectionMethod}:${isTaxAsked(invoice)}`),
      },
    ),
  )
}

/** Whether Stripe is to compute tax: asked for, and not given up. */
export const isTaxAsked = ({ automaticTax, taxSkipped }: InvoiceToSync): boolean =>
  automaticTax === true && taxSkipped !== true

/** When an e-mailed invoice is due, counted by Stripe from when it is finalized. */
export function dueParams(
  invoice: InvoiceToSync,
): Pick<Stripe.InvoiceCreateParams, 'due_date' | 'days_until_due'> {
  if (invoice.collectionMethod !== 'send_invoice') return {}
  if (invoice.dueMs !== undefined) return { due_date: Math.floor(invoice.dueMs / 1000) }
  return { days_until_due: invoice.daysUntilDue ?? 0 }
}
