import type { Stripe } from 'stripe'
import { DomainError } from '../domain/errors.ts'
import type { Connection } from './client.ts'
import { callExpanding } from './expanding.ts'
import { classifyStripeError } from './failures.ts'
import { currentView, getInvoice, retrieveInvoice, viewOf } from './invoice-view.ts'
import { outcomeOf, paymentOf } from './payment-outcome.ts'
import type {
  InvoiceRef,
  InvoiceToFinalize,
  InvoiceToPay,
  PaymentOutcome,
  StripeInvoiceStatus,
  StripeInvoiceView,
} from './invoice-types.ts'

/** The number is bound just before (billing rule 22); one that was finalized already is answered as it is. */
export async function finalizeInvoice(
  connection: Connection,
  invoice: InvoiceToFinalize,
): Promise<StripeInvoiceView> {
  const { stripeInvoiceId: id, number } = invoice
  return changeInvoice(connection, {
    invoice,
    step: 'finalize',
    done: (status) => status !== 'draft',
    async request(stripe, { idempotencyKey, expand }) {
      if (number !== undefined) {
        await stripe.invoices.update(id, { number }, { idempotencyKey: `${idempotencyKey}:number:${number}` })
      }
      return stripe.invoices.finalizeInvoice(id, { auto_advance: false, expand }, { idempotencyKey })
    },
  })
}

/** Again under the same key, Stripe sends no second e-mail. */
export function sendInvoice(connection: Connection, invoice: InvoiceRef): Promise<StripeInvoiceView> {
  return changeInvoice(connection, {
    invoice,
    step: 'send',
    done: (status) => status === 'paid',
    request: (stripe, { idempotencyKey, expand }) =>
      stripe.invoices.sendInvoice(invoice.stripeInvoiceId, { expand }, { idempotencyKey }),
  })
}

export function voidInvoice(connection: Connection, invoice: InvoiceRef): Promise<StripeInvoiceView> {
  return changeInvoice(connection, {
    invoice,
    step: 'void',
    done: (status) => status === 'void',
    request: (stripe, { idempotencyKey, expand }) =>
      stripe.invoices.voidInvoice(invoice.stripeInvoiceId, { expand }, { idempotencyKey }),
  })
}

/** One that was paid meanwhile is answered as paid. */
export function markUncollectible(connection: Connection, invoice: InvoiceRef): Promise<StripeInvoiceView> {
  return changeInvoice(connection, {
    invoice,
    step: 'uncollectible',
    done: (status) => status === 'uncollectible' || status === 'paid',
    request: (stripe, { idempotencyKey, expand }) =>
      stripe.invoices.markUncollectible(invoice.stripeInvoiceId, { expand }, { idempotencyKey }),
  })
}

/** Repeatable: a draft that is gone is what was asked for. */
export async function deleteDraft(connection: Connection, stripeInvoiceId: string): Promise<void> {
  try {
    await connection.call('invoices.delete', (stripe) => stripe.invoices.del(stripeInvoiceId))
  } catch (error) {
    if (classifyStripeError(error).code !== 'resource_missing') throw error
  }
}

/**
 * One attempt at collecting. Stripe stores a decline under the key too: a repeat of this attempt gives the same answer,
 * and a new attempt needs a new number (billing rule 31).
 */
export async function payInvoice(connection: Connection, invoice: InvoiceToPay): Promise<StripeInvoiceView> {
  const { invoiceId, stripeInvoiceId, attempt, generation, paymentMethodId } = invoice
  const method = paymentMethodId === undefined ? {} : { payment_method: paymentMethodId }
  const idempotencyKey = `pay:${invoiceId}:a${attempt}:g${generation}`
  try {
    const reply = await callExpanding(connection, 'invoices.pay', (stripe, expand) =>
      stripe.invoices.pay(stripeInvoiceId, { expand, ...method }, { idempotencyKey }),
    )
    return takenAsProcessing(await currentView(connection, reply))
  } catch (error) {
    return afterRefusal(connection, stripeInvoiceId, error)
  }
}

/** What was neither refused nor paid is on its way, also where the key may not read the payment. */
function takenAsProcessing(view: StripeInvoiceView): StripeInvoiceView {
  if (view.status !== 'open' || view.payment.kind !== 'unknown') return view
  return { ...view, payment: { ...view.payment, kind: 'processing' } }
}

/** What the refusal left behind decides: paid meanwhile, declined, waiting for the customer, or no outcome at all. */
async function afterRefusal(
  connection: Connection,
  stripeInvoiceId: string,
  error: unknown,
): Promise<StripeInvoiceView> {
  const failure = classifyStripeError(error)
  // A failure stored under the key (pinned) may hide a payment that was made.
  if (!['final', 'outcome', 'pinned'].includes(failure.kind)) throw error
  const isMethodGone = failure.param === 'payment_method'
  if (failure.code === 'resource_missing' && !isMethodGone) throw error
  const current = await retrieveInvoice(connection, stripeInvoiceId)
  if (current.status === 'paid' || current.status === 'void') return viewOf(connection, current)
  const recorded = paymentOf(current)
  if (recorded.kind === 'processing' || recorded.kind === 'succeeded') {
    return viewOf(connection, current, recorded)
  }
  const outcome = outcomeOf(failure, recorded.paymentId)
  if (outcome === null) throw error
  return viewOf(connection, current, combine(outcome, recorded))
}

/** The payment knows the charge; the refusal knows why. */
function combine(outcome: PaymentOutcome, recorded: PaymentOutcome): PaymentOutcome {
  const declineCode = outcome.declineCode ?? recorded.declineCode
  const waiting = outcome.kind === 'requires_action' || recorded.kind === 'requires_action'
  return {
    ...outcome,
    kind: waiting ? 'requires_action' : outcome.kind,
    declineCode: outcome.code === 'payment_method_missing' ? null : declineCode,
    hard: outcome.hard || waiting,
  }
}

interface Asked {
  readonly idempotencyKey: string
  readonly expand: string[]
}

interface Change {
  readonly invoice: InvoiceRef
  readonly step: 'finalize' | 'send' | 'void' | 'uncollectible'
  /** Whether an invoice of this status needs the step no more. */
  readonly done: (status: StripeInvoiceStatus) => boolean
  readonly request: (stripe: Stripe, asked: Asked) => Promise<Stripe.Response<Stripe.Invoice>>
}

/** Asks first and looks only when Stripe refuses: on the happy path each step is one request. */
async function changeInvoice(connection: Connection, change: Change): Promise<StripeInvoiceView> {
  const { invoice, step, done, request } = change
  const idempotencyKey = `${step}:${invoice.invoiceId}:g${invoice.generation}`
  try {
    const reply = await callExpanding(connection, `invoices.${step}`, (stripe, expanded) =>
      request(stripe, { idempotencyKey, expand: expanded }),
    )
    return await currentView(connection, reply)
  } catch (error) {
    const { kind, code } = classifyStripeError(error)
    const mayBeDone = kind === 'pinned' || (kind === 'final' && !(error instanceof DomainError))
    if (!mayBeDone) throw error
    if (code === 'resource_missing') throw notFound(invoice)
    const current = await getInvoice(connection, invoice.stripeInvoiceId)
    if (!done(current.status)) throw error
    return current
  }
}

function notFound({ stripeInvoiceId }: InvoiceRef): DomainError {
  return new DomainError('stripe_invoice_not_found', `Stripe has no invoice ${stripeInvoiceId}`)
}
