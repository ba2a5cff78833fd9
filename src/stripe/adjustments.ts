import { currency } from '../domain/currency.ts'
import { roundProcessorMinor } from '../domain/money.ts'
import { assertNever } from '../domain/errors.ts'
import type { AdjustmentSource, InvoiceAdjustments, StripeAdjustment } from './adjustment-types.ts'
import type { Connection } from './client.ts'
import { idOf } from './events.ts'

const pageSize = 100

/** Fetches what an event is about: the event itself is not believed (billing rule 30). */
export async function getAdjustments(
  connection: Connection,
  { kind, id }: AdjustmentSource,
): Promise<InvoiceAdjustments> {
  switch (kind) {
    case 'charge':
      return await refundsOf(connection, id)
    case 'dispute':
      return await disputeAt(connection, id)
    case 'credit_note':
      return await creditNoteAt(connection, id)
    default:
      return assertNever(kind)
  }
}

interface Moved {
  readonly id: string
  readonly amount: number
  readonly currency: string
  readonly created: number
  readonly status: string | null
  readonly reason: string | null
}

function adjustment(kind: StripeAdjustment['kind'], moved: Moved): StripeAdjustment {
  const c = currency(moved.currency.toUpperCase())
  return {
    id: moved.id,
    kind,
    status: moved.status ?? 'unknown',
    amountMinor: roundProcessorMinor(BigInt(moved.amount), c),
    currency: c.code,
    reason: moved.reason,
    atMs: moved.created * 1000,
  }
}

async function refundsOf(connection: Connection, charge: string): Promise<InvoiceAdjustments> {
  const refunds = await connection.call('refunds.list', (stripe) =>
    stripe.refunds.list({ charge, limit: pageSize }),
  )
  const paymentIntent = refunds.data.map((refund) => idOf(refund.payment_intent)).find((id) => id !== null)
  return {
    stripeInvoiceId: paymentIntent ? await invoiceOfPayment(connection, paymentIntent) : null,
    adjustments: refunds.data.map((refund) => adjustment('refund', refund)),
  }
}

async function disputeAt(connection: Connection, id: string): Promise<InvoiceAdjustments> {
  const dispute = await connection.call('disputes.retrieve', (stripe) => stripe.disputes.retrieve(id))
  const paymentIntent = idOf(dispute.payment_intent)
  return {
    stripeInvoiceId: paymentIntent === null ? null : await invoiceOfPayment(connection, paymentIntent),
    adjustments: [adjustment('dispute', dispute)],
  }
}

async function creditNoteAt(connection: Connection, id: string): Promise<InvoiceAdjustments> {
  const note = await connection.call('credit_notes.retrieve', (stripe) => stripe.creditNotes.retrieve(id))
  const { reason, memo } = note
  return {
    stripeInvoiceId: idOf(note.invoice),
    adjustments: [adjustment('credit_note', { ...note, amount: note.total, reason: reason ?? memo })],
  }
}

/** The list of invoice payments is the only way from a payment to its invoice. */
async function invoiceOfPayment(connection: Connection, paymentIntent: string): Promise<string | null> {
  const payments = await connection.call('invoice_payments.list', (stripe) =>
    stripe.invoicePayments.list({
      payment: { type: 'payment_intent', payment_intent: paymentIntent },
      limit: 1,
    }),
  )
  return idOf(payments.data[0]?.invoice)
}
