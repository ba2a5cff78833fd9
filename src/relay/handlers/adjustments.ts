import { databaseNow, recordAdjustment } from '../../db/stores/adjustments.ts'
import { storedApp } from '../../db/stores/billing-settings.ts'
import { invoiceOfStripeEvent } from '../../db/stores/invoices-of-events.ts'
import type { InvoiceOfEvent } from '../../db/stores/invoices-of-events.ts'
import type { StripeEventRow } from '../../db/stores/stripe-events.ts'
import { appendTimeline } from '../../db/stores/timeline.ts'
import { currency } from '../../domain/currency.ts'
import { isCollecting } from '../../domain/invoice-state.ts'
import type { InvoiceStatus } from '../../domain/invoice-state.ts'
import { displayMinor } from '../../domain/money.ts'
import type { AdjustmentSource, InvoiceAdjustments, StripeAdjustment } from '../../stripe/adjustment-types.ts'
import { lacksPermission } from '../../stripe/permissions.ts'
import type { RelayDeps } from '../relay.ts'
import { signalInvoice, unknownInvoice } from './invoice.ts'
import type { EventHandler } from './outcome.ts'

/**
 * Money of an invoice was given back, disputed or credited at Stripe: it is recorded beside the invoice, whose status
 * stays what it is. An open one is looked at, for a credit note takes off what remains.
 */
export function adjusted(kind: AdjustmentSource['kind']): EventHandler {
  return async (deps, event) => {
    const askedAt = await databaseNow(deps.db)
    const found = await fetchAdjustments(deps, event, kind)
    if (found === null) return { outcome: 'not_permitted' }
    if (found.stripeInvoiceId === null || found.adjustments.length === 0) return { outcome: 'not_ours' }
    const ofInvoice = { appId: event.appId, invoiceId: null, objectId: found.stripeInvoiceId }
    const invoice = await invoiceOfStripeEvent(deps.db, ofInvoice)
    // A payment may be refunded before the step that made it has committed.
    if (invoice === undefined) return unknownInvoice(event)
    await record(deps, invoice, { event, askedAt, adjustments: found.adjustments })
    if (isCollecting(invoice.status as InvoiceStatus)) await signalInvoice(deps, invoice, event)
    return { outcome: 'recorded' }
  }
}

/** Null where the app's key may not read it. */
async function fetchAdjustments(
  deps: RelayDeps,
  event: StripeEventRow,
  kind: AdjustmentSource['kind'],
): Promise<InvoiceAdjustments | null> {
  const app = await storedApp(deps.db, event.appId)
  try {
    return await deps.stripe.getAdjustments(app, { kind, id: event.sourceId ?? event.objectId })
  } catch (error) {
    if (lacksPermission(error)) return null
    throw error
  }
}

interface Recorded {
  readonly event: StripeEventRow
  readonly askedAt: Date
  readonly adjustments: readonly StripeAdjustment[]
}

async function record(
  deps: RelayDeps,
  invoice: InvoiceOfEvent,
  { event, askedAt, adjustments }: Recorded,
): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    for (const adjustment of adjustments) {
      if (!(await recordAdjustment(trx, { invoiceId: invoice.id, askedAt }, adjustment))) continue
      await appendTimeline(trx, [
        {
          subjectType: 'invoice',
          subjectId: invoice.id,
          at: invoice.frozenTime ?? event.createdAt,
          kind: adjustment.kind,
          detail: sentence(adjustment),
        },
      ])
    }
  })
}

const names = { refund: 'Refund', dispute: 'Dispute', credit_note: 'Credit note' } as const

function sentence({ kind, id, status, amountMinor, currency: code, reason }: StripeAdjustment): string {
  const why = reason === null ? '' : ` (${reason.replaceAll('_', ' ')})`
  return `${names[kind]} ${id} of ${displayMinor(amountMinor, currency(code))}: ${status.replaceAll('_', ' ')}${why}`
}
