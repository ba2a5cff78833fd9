import { storedApp } from '../../db/stores/billing-settings.ts'
import { noteChange } from '../../db/stores/changed-at-stripe.ts'
import { getInvoiceRow, updateInvoice } from '../../db/stores/invoices.ts'
import type { InvoiceOfEvent } from '../../db/stores/invoices-of-events.ts'
import type { StripeEventRow } from '../../db/stores/stripe-events.ts'
import { appendTimeline, appendTimelineOnce } from '../../db/stores/timeline.ts'
import { currency } from '../../domain/currency.ts'
import { orNull } from '../../domain/errors.ts'
import { displayMinor } from '../../domain/money.ts'
import { draftDeleted } from '../../stripe/failures.ts'
import type { StripeInvoiceView } from '../../stripe/invoice-types.ts'
import type { RelayDeps } from '../relay.ts'
import { signalInvoice, unknownAtStripe } from './invoice.ts'
import type { EventHandler, HandlerDeps, Outcome } from './outcome.ts'

/** The step that issues it knows; it is given this many tries before a person is thought to have done it. */
const TRIES_OWN = 6

type Handler = (deps: HandlerDeps, invoice: InvoiceOfEvent, event: StripeEventRow) => Promise<Outcome>

/** A change of an invoice of ours; what our own step is at is left to it first. */
const ofInvoice =
  (handle: Handler): EventHandler =>
  async (deps, event) => {
    const invoice = await deps.invoiceOf(event)
    if (!invoice) return unknownAtStripe(event)
    const isOwnStep = invoice.status === 'issuing' && invoice.substatus === null
    if (isOwnStep && event.attempts < TRIES_OWN) return { later: 'its own step is issuing it' }
    return await handle(deps, invoice, event)
  }

const at = (invoice: InvoiceOfEvent, event: StripeEventRow): Date => invoice.frozenTime ?? event.createdAt

/** Finalized or changed: an invoice that is not issued yet is compared, and one that differed tried again. */
export const invoiceChanged: EventHandler = ofInvoice(async (deps, invoice, event) => {
  const isFinalized = event.type === 'invoice.finalized'
  // Our own changes of a draft are told too; its lines are compared when it is sent next, and when it is issued.
  if (invoice.status === 'draft' && isFinalized) return await draftChanged(deps, invoice, event)
  if (invoice.status !== 'issuing') return { outcome: 'confirmed' }
  if (!isFinalized && !(await isDiffering(deps, invoice))) return { outcome: 'confirmed' }
  await signalInvoice(deps, invoice, event)
  return { outcome: 'signalled' }
})

/**
 * Whether it waits for a correction at Stripe. Any other failure is mended elsewhere, and our own next try of it is told
 * as a change again: taken for a reason to try, it would never end.
 */
const isDiffering = async (deps: RelayDeps, { id }: InvoiceOfEvent): Promise<boolean> =>
  (await getInvoiceRow(deps.db, id))?.statusCode === 'stripe_totals_differ'

/** A draft of ours has no workflow to ask: what became of its draft at Stripe is written on it. */
async function draftChanged(
  deps: RelayDeps,
  invoice: InvoiceOfEvent,
  event: StripeEventRow,
): Promise<Outcome> {
  const row = await getInvoiceRow(deps.db, invoice.id)
  if (!row || row.stripeInvoiceId === null) return { outcome: 'ignored' }
  const view = await viewOf(deps, event, row.stripeInvoiceId)
  if (view === null || view.status === 'draft') return { outcome: 'confirmed' }
  await noteChange(deps.db, {
    row,
    at: at(invoice, event),
    code: 'stripe_draft_finalized',
    reason: `Its draft was finalized at Stripe by hand: ${view.stripeInvoiceId} is ${view.status} there`,
  })
  return { outcome: 'noted' }
}

/** Drafts that are still to be issued. */
const growing: ReadonlySet<string | null> = new Set(['accruing', 'waiting_approval', 'waiting_draft_period'])

/** A person deleted our draft: it is made again only when somebody asks. */
export const invoiceDeleted: EventHandler = ofInvoice(async (deps, invoice, event) => {
  const row = await getInvoiceRow(deps.db, invoice.id)
  const isOurs = row?.stripeInvoiceId === event.objectId
  if (!row || !isOurs || !['draft', 'issuing'].includes(row.status)) return { outcome: 'confirmed' }
  // We took it back: there is nothing to collect.
  if (row.status === 'draft' && !growing.has(row.substatus)) return { outcome: 'confirmed' }
  await noteChange(deps.db, {
    row,
    at: at(invoice, event),
    code: 'stripe_invoice_deleted',
    reason: draftDeleted(event.objectId).message,
    ...(row.status === 'issuing' && { patch: { substatus: 'failed', nextDueAt: null } }),
  })
  return { outcome: 'noted' }
})

/** Stripe could not finalize our draft by itself, which somebody had told it to. */
export const finalizationFailed: EventHandler = ofInvoice(async (deps, invoice, event) => {
  if (invoice.status !== 'draft') return await invoiceChanged(deps, event)
  const row = await getInvoiceRow(deps.db, invoice.id)
  if (row?.status !== 'draft') return { later: 'its own step is issuing it' }
  await noteChange(deps.db, {
    row,
    at: at(invoice, event),
    code: 'stripe_finalization_failed',
    reason: 'Stripe tried to finalize its draft and could not; it is finalized from here when it is issued',
  })
  return { outcome: 'noted' }
})

/** A person sent it from Stripe. Our own e-mail is booked by the step that asked for it. */
export const invoiceSent: EventHandler = ofInvoice(async (deps, invoice, event) => {
  const row = await getInvoiceRow(deps.db, invoice.id)
  if (!row || row.sentAt !== null || !['issued', 'overdue'].includes(row.status))
    return { outcome: 'confirmed' }
  if (event.attempts < TRIES_OWN) return { later: 'its own step may be sending it' }
  await deps.db.transaction().execute(async (trx) => {
    const sentAt = at(invoice, event)
    if (!(await updateInvoice(trx, row, { sentAt }))) throw new Error('the invoice is being worked on')
    const entry = { subjectType: 'invoice' as const, subjectId: row.id, at: sentAt, kind: 'sent' }
    await appendTimeline(trx, [{ ...entry, detail: 'Sent to the customer from Stripe' }])
  })
  return { outcome: 'noted' }
})

/** More was paid than was due: Stripe keeps it for the customer; here it is said. */
export const invoiceOverpaid: EventHandler = ofInvoice(async (deps, invoice, event) => {
  const view = await viewOf(deps, event, event.objectId)
  if (view === null) return { outcome: 'ignored' }
  const { amountOverpaidMinor } = view
  if (amountOverpaidMinor > 0n) {
    const detail = `Overpaid at Stripe by ${displayMinor(amountOverpaidMinor, currency(view.currency))}`
    const entry = { subjectType: 'invoice' as const, subjectId: invoice.id, kind: 'overpaid', detail }
    const told = { ...entry, at: at(invoice, event) }
    await deps.db.transaction().execute(async (trx) => await appendTimelineOnce(trx, told, event.receivedAt))
  }
  if (invoice.status === 'paid') return { outcome: 'noted' }
  await signalInvoice(deps, invoice, event)
  return { outcome: 'signalled' }
})

async function viewOf(deps: RelayDeps, event: StripeEventRow, id: string): Promise<StripeInvoiceView | null> {
  const app = await storedApp(deps.db, event.appId)
  return await orNull(deps.stripe.getInvoice(app, id), 'stripe_invoice_not_found')
}
