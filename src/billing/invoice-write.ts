import type { Database, Db } from '../db/connection.ts'
import { lockAccess } from '../db/stores/access.ts'
import {
  recordInvoiceCommand,
  updateInvoice,
  updateInvoiceAndLink,
  updateInvoiceAndTell,
} from '../db/stores/invoices.ts'
import type { InvoicePatch, InvoiceRow, LinkedInvoice, Told, ToldChange } from '../db/stores/invoices.ts'
import { bookCarriedOn, insertLedgerEntryOnce } from '../db/stores/ledger.ts'
import { insertOutbox } from '../db/stores/outbox.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { currency } from '../domain/currency.ts'
import { DomainError } from '../domain/errors.ts'
import { displayMinor } from '../domain/money.ts'
import type { InvoiceRef } from '../stripe/invoice-types.ts'
import { whereLeft } from './left-balance.ts'
import { decidesAccess, openAccess } from './open-access.ts'

/** Writes under the version that was read; another run that was faster wins, and this one starts over. */
export async function write(db: Db, row: InvoiceRow, patch: InvoicePatch): Promise<InvoiceRow> {
  return unlessRaced(await updateInvoice(db, row, patch))
}

/** The same, with what is told of it; answers who its customer is at its app as well. */
export async function writeAndLink(db: Db, row: InvoiceRow, change: ToldChange): Promise<LinkedInvoice> {
  return unlessRaced(await updateInvoiceAndLink(db, row, change))
}

function unlessRaced<T>(written: T | undefined): T {
  if (written === undefined) throw new DomainError('conflict', 'another run wrote the invoice')
  return written
}

interface InvoiceChange {
  readonly asOfMs: number
  /** For the invoice's timeline; null: nothing that people care about. */
  readonly detail: string | null
  readonly patch: InvoicePatch
  /** What is found in the same transaction and written with it. */
  readonly meanwhile?: (trx: Db) => Promise<InvoicePatch>
  readonly cancels?: boolean
  /** A balance the Stripe customer already had, which paid a part of it (rule 21). */
  readonly balanceMinor?: bigint
  /** Recorded with what it changed. */
  readonly command?: { readonly requestId: string; readonly kind: string }
}

/** Writes what became of an invoice, with all that goes with it: access, the timeline, the ledger, its subscription. */
export async function changeInvoice(
  db: Database,
  row: InvoiceRow,
  { asOfMs, detail, patch, meanwhile, cancels, balanceMinor, command }: InvoiceChange,
): Promise<InvoiceRow> {
  return await db.transaction().execute(async (trx) => {
    const kind = patch.status ?? row.status
    const told = detail === null ? null : { at: new Date(asOfMs), kind, detail }
    const found = meanwhile === undefined ? patch : { ...patch, ...(await meanwhile(trx)) }
    const decides = decidesAccess(row, found.status)
    const written = await writeAndLock(trx, row, { patch: found, told, decides })
    if (decides) await openAccess(trx, { before: row, after: written, asOfMs })
    if (command)
      await recordInvoiceCommand(trx, { invoiceId: row.id, requestId: command.requestId, kind: command.kind })
    if (written.status === 'voided' && row.status !== 'voided') await carryOn(trx, written, asOfMs)
    if (balanceMinor !== undefined && balanceMinor !== 0n) {
      await insertLedgerEntryOnce(trx, {
        id: `${row.id}:balance`,
        subscriptionId: row.subscriptionId,
        customerId: row.customerId,
        currency: row.currency,
        amountMinor: balanceMinor,
        kind: 'customer_balance_payment',
        invoiceId: row.id,
      })
    }
    if (cancels === true) {
      const payload = { invoiceId: row.id, effectiveAtMs: asOfMs }
      await insertOutbox(trx, { kind: 'invoice_outcome', subjectId: row.subscriptionId, payload })
    }
    return written
  })
}

interface Locking {
  readonly patch: InvoicePatch
  readonly told: Told | null
  readonly decides: boolean
}

/** In one statement where something is told of it: from then on nobody else decides about its customer's access. */
async function writeAndLock(
  trx: Db,
  row: InvoiceRow,
  { patch, told, decides }: Locking,
): Promise<InvoiceRow> {
  const accessOf = decides ? row.customerId : undefined
  if (told !== null) return unlessRaced(await updateInvoiceAndTell(trx, row, { patch, told, accessOf }))
  const written = await write(trx, row, patch)
  if (decides) await lockAccess(trx, row.customerId)
  return written
}

/** A balance that a voided invoice took over comes to the next one, where there is one (rule 21). */
async function carryOn(trx: Db, row: InvoiceRow, asOfMs: number): Promise<void> {
  const carriedMinor = await bookCarriedOn(trx, row)
  if (carriedMinor === 0n) return
  const amount = displayMinor(carriedMinor < 0n ? -carriedMinor : carriedMinor, currency(row.currency))
  const what = carriedMinor < 0n ? `credit of ${amount}` : `balance of ${amount}`
  const where = await whereLeft(trx, row.subscriptionId)
  const detail = `The ${what} that it took over of earlier invoices ${where}`
  const subject = { subjectType: 'invoice', subjectId: row.id, at: new Date(asOfMs) } as const
  await appendTimeline(trx, [{ ...subject, kind: row.status, detail }])
}

/** How Stripe's invoice is named in a call. */
export function invoiceRef(row: InvoiceRow): InvoiceRef {
  return { invoiceId: row.id, stripeInvoiceId: row.stripeInvoiceId ?? '', generation: row.syncGeneration }
}
