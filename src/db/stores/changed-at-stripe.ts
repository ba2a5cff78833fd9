import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import { updateInvoice } from './invoices.ts'
import type { InvoicePatch, InvoiceRow } from './invoices.ts'
import { invoicesOfEvents } from './invoices-of-events.ts'
import type { InvoiceOfEvent } from './invoices-of-events.ts'
import { appendTimeline } from './timeline.ts'

export interface ChangeAtStripe {
  /** The invoice as it was when Stripe was asked. */
  readonly row: InvoiceRow
  readonly at: Date
  readonly code: string
  readonly reason: string
  readonly patch?: InvoicePatch
}

/**
 * Writes on an invoice, and once in its timeline, what a person did to it at Stripe. Errors where the invoice was changed
 * since: what was true of it then may not be true of what it is now.
 */
export async function noteChange(db: Db, change: ChangeAtStripe): Promise<void> {
  const { row, at, code, reason, patch } = change
  if (row.statusCode === code && row.statusReason === reason) return
  const written = await updateInvoice(db, row, { ...patch, statusCode: code, statusReason: reason })
  if (written === undefined) throw new Error('the invoice is being worked on')
  await appendTimeline(db, [{ subjectType: 'invoice', subjectId: row.id, at, kind: code, detail: reason }])
}

interface OfCustomer {
  readonly appId: string
  readonly stripeCustomerId: string
}

/** The Stripe customer's invoices that wait for something: not settled, and past their draft. */
export async function waitingInvoicesOf(db: Db, of: OfCustomer): Promise<readonly InvoiceOfEvent[]> {
  return await invoicesOfEvents(db)
    .where('invoices.appId', '=', of.appId)
    .where('invoices.stripeCustomerId', '=', of.stripeCustomerId)
    .where('invoices.status', 'in', ['issuing', 'issued', 'payment_processing', 'overdue'])
    .execute()
}

/** The Stripe customer's invoices that could not be taxed for want of a location. */
export async function untaxableInvoicesOf(db: Db, of: OfCustomer): Promise<readonly InvoiceOfEvent[]> {
  return await untaxable(db, of.appId, of.stripeCustomerId)
}

const untaxable = prepared((db, appId: string, stripeCustomerId: string) =>
  invoicesOfEvents(db)
    .where('invoices.appId', '=', appId)
    .where('invoices.stripeCustomerId', '=', stripeCustomerId)
    // Said in the statement: there is an index of what is not settled, which a plan for any value could not use.
    .where('invoices.status', '=', sql.lit('issuing'))
    .where('invoices.statusCode', '=', 'customer_tax_location_invalid')
    .compile(),
)
