import { adjusted } from './handlers/adjustments.ts'
import {
  finalizationFailed,
  invoiceChanged,
  invoiceDeleted,
  invoiceOverpaid,
  invoiceSent,
} from './handlers/changed-invoice.ts'
import { checkoutCompleted, setupSucceeded } from './handlers/checkout.ts'
import { wakeInvoice } from './handlers/invoice.ts'
import type { EventHandler } from './handlers/outcome.ts'
import { newPaymentMethod, paymentMethodAttached, paymentMethodDetached } from './handlers/payment-method.ts'
import { both, stripeCustomerDeleted, taxLocationChanged } from './handlers/stripe-customer.ts'
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
  'invoice.finalized': invoiceChanged,
  'invoice.updated': invoiceChanged,
  'invoice.finalization_failed': finalizationFailed,
  'invoice.deleted': invoiceDeleted,
  'invoice.sent': invoiceSent,
  'invoice.overdue': wakeInvoice(['overdue', 'paid', 'voided', 'uncollectible']),
  'invoice.overpaid': invoiceOverpaid,
  'charge.refunded': adjusted('charge'),
  'charge.dispute.created': adjusted('dispute'),
  'charge.dispute.closed': adjusted('dispute'),
  'credit_note.created': adjusted('credit_note'),
  'credit_note.voided': adjusted('credit_note'),
  'payment_method.attached': paymentMethodAttached,
  'payment_method.detached': paymentMethodDetached,
  'setup_intent.succeeded': setupSucceeded,
  'checkout.session.completed': checkoutCompleted,
  'customer.updated': both(newPaymentMethod, taxLocationChanged),
  'customer.deleted': stripeCustomerDeleted,
  'customer.subscription.created': stripeSubscription,
  'customer.subscription.updated': stripeSubscription,
  'customer.subscription.deleted': stripeSubscription,
}
