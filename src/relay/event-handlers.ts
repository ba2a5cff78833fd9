import { checkoutCompleted, setupSucceeded } from './handlers/checkout.ts'
import { wakeInvoice } from './handlers/invoice.ts'
import type { EventHandler } from './handlers/outcome.ts'
import { newPaymentMethod, paymentMethodDetached } from './handlers/payment-method.ts'
import { billedByStripe } from './handlers/stripe-items.ts'
import { stripeSubscription } from './handlers/stripe-subscription.ts'

/** What is done about each type of event; a type that is not here is ignored. The statuses are what it merely confirms. */
export const eventHandlers: Readonly<Record<string, EventHandler>> = {
  'invoice.paid': billedByStripe(wakeInvoice(['paid'])),
  'invoice.payment_succeeded': wakeInvoice(['paid']),
  'invoice.voided': billedByStripe(wakeInvoice(['voided', 'paid'])),
  'invoice.marked_uncollectible': billedByStripe(wakeInvoice(['uncollectible', 'paid', 'voided'])),
  'invoice.payment_failed': billedByStripe(
    wakeInvoice(['paid', 'voided', 'uncollectible', 'issued', 'overdue']),
  ),
  'invoice.payment_action_required': wakeInvoice(['paid', 'voided']),
  'payment_method.attached': newPaymentMethod,
  'payment_method.detached': paymentMethodDetached,
  'setup_intent.succeeded': setupSucceeded,
  'checkout.session.completed': checkoutCompleted,
  'customer.updated': newPaymentMethod,
  'customer.subscription.created': stripeSubscription('start'),
  'customer.subscription.updated': stripeSubscription('current_period'),
  'customer.subscription.deleted': stripeSubscription('current_period'),
}
