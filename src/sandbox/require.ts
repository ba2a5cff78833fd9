import type { Context } from './context.ts'
import { noSuch, refuse } from './errors.ts'
import type { Table, Tables } from './tables.ts'

const kinds: { readonly [T in Table]: string } = {
  customers: 'customer',
  paymentMethods: 'PaymentMethod',
  invoices: 'invoice',
  invoiceItems: 'invoiceitem',
  invoicePayments: 'invoice_payment',
  paymentIntents: 'payment_intent',
  charges: 'charge',
  events: 'event',
  endpoints: 'webhook endpoint',
  clocks: 'test clock',
  taxRates: 'tax rate',
  taxIds: 'tax_id',
  products: 'product',
  prices: 'price',
  subscriptions: 'subscription',
  setupIntents: 'setupintent',
  sessions: 'checkout.session',
  portalConfigurations: 'billing portal configuration',
  portalSessions: 'billing portal session',
  creditNotes: 'credit note',
  refunds: 'refund',
  disputes: 'dispute',
  balanceTransactions: 'customer balance transaction',
  deliveries: 'delivery',
  idempotency: 'key',
  keys: 'key',
  taxSettings: 'tax settings',
}

/** The record, or `No such …`: 404 for the path, 400 when `param` names where the id came from. */
export function requireRecord<T extends Table>(
  ctx: Context,
  [table, id]: readonly [T, string],
  param?: string,
): Tables[T] {
  const record = ctx.store.get(table, id)
  if (record === undefined) throw noSuch(kinds[table], id, param)
  return record
}

/** The customer of a parameter; a deleted one is no longer there. */
export function requireCustomer(ctx: Context, id: string, param?: string): Tables['customers'] {
  const customer = requireRecord(ctx, ['customers', id], param)
  if (customer._deleted) throw noSuch('customer', id, param)
  return customer
}

/** A customer's running subscription; one of somebody else is no subscription of this customer. */
export function requireSubscription(
  ctx: Context,
  customer: Tables['customers'],
  id: string,
): Tables['subscriptions'] {
  const subscription = requireRecord(ctx, ['subscriptions', id], 'subscription')
  if (subscription.customer !== customer.id) throw noSuch('subscription', id, 'subscription')
  if (subscription.status === 'canceled' || subscription.status === 'incomplete_expired')
    throw refuse('The subscription has ended; nothing more can be billed on it.', { param: 'subscription' })
  return subscription
}
