import type { InvoiceOfEvent } from '../../db/stores/invoices-of-events.ts'
import type { StripeEventRow } from '../../db/stores/stripe-events.ts'
import type { RelayDeps } from '../relay.ts'
import type { EventHandler, Outcome } from './outcome.ts'

/** An event may come before our own commit (rule 30): an invoice that is unknown is looked for this many times. */
const TRIES_UNKNOWN = 8
/** The step that is collecting gets Stripe's reply itself; give it this many tries before a workflow is started. */
const TRIES_INLINE = 6

/** Wakes the invoice's workflow unless the invoice is already what the event says: one of `confirming`. */
export function wakeInvoice(confirming: readonly string[]): EventHandler {
  return async (deps, event) => {
    const invoice = await deps.invoiceOf(event)
    if (!invoice) return unknownAtStripe(event)
    if (confirming.includes(invoice.status)) return { outcome: 'confirmed' }
    // It is its subscription's to write, and closed with its period.
    if (invoice.substatus === 'accruing') return { outcome: 'noted' }
    if (!invoice.hasWorkflow && event.attempts < TRIES_INLINE)
      return { later: 'its own step is collecting it' }
    await signalInvoice(deps, invoice, event)
    return { outcome: 'signalled' }
  }
}

/** An invoice that nobody here knows. Each of ours bears our id from when it is made: another is somebody else's. */
export const unknownAtStripe = (event: StripeEventRow): Outcome =>
  event.invoiceId === null ? { outcome: 'not_ours' } : unknownInvoice(event)

/** Not ours, or not committed yet. */
export function unknownInvoice(event: StripeEventRow): Outcome {
  return event.attempts < TRIES_UNKNOWN ? { later: 'no such invoice yet' } : { outcome: 'not_ours' }
}

/** Wakes the workflow of an invoice, or starts it: it fetches the invoice and acts on what it is now. */
export async function signalInvoice(
  deps: RelayDeps,
  invoice: InvoiceOfEvent,
  event: Pick<StripeEventRow, 'eventId' | 'type'>,
): Promise<void> {
  const start = {
    invoiceId: invoice.id,
    customerKey: invoice.customerKey ?? invoice.customerId,
    status: invoice.status,
    testNowMs: invoice.frozenTime?.getTime() ?? null,
    nextDueMs: null,
  }
  await deps.temporal.signalInvoice(start, { eventId: event.eventId, type: event.type })
}
