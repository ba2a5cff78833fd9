import type { Stripe } from 'stripe'
import { DomainError } from '../domain/errors.ts'
import type { Connection } from './client.ts'
import { idOf } from './events.ts'
import { classifyStripeError } from './failures.ts'
import { metadataKeys } from './metadata.ts'
import { lacksPermission } from './permissions.ts'
import { pastPinned } from './pinned.ts'
import type {
  CustomerPaymentMethod,
  CustomerToCreate,
  PaymentMethodView,
  StripeCustomerView,
} from './customer-types.ts'

/** Errors: stripe_customer_not_found. A deleted customer is still answered for. */
export async function getCustomer(connection: Connection, customerId: string): Promise<StripeCustomerView> {
  try {
    const customer = await connection.call('customers.retrieve', (stripe) =>
      stripe.customers.retrieve(customerId),
    )
    return customer.deleted === true ? deletedView(customer.id) : customerView(customer)
  } catch (error) {
    if (classifyStripeError(error).code !== 'resource_missing') throw error
    throw new DomainError('stripe_customer_not_found', `Stripe has no customer ${customerId}`)
  }
}

/** One of ours makes one at Stripe, and another only in place of one that is gone. */
export async function createCustomer(
  connection: Connection,
  { customerId, name, email, address, testClockId, replaces }: CustomerToCreate,
): Promise<StripeCustomerView> {
  const after = replaces === undefined ? '' : `:after:${replaces}`
  const created = await pastPinned(`customer:${customerId}${after}`, async (idempotencyKey) =>
    connection.call('customers.create', (stripe) =>
      stripe.customers.create(
        {
          metadata: { [metadataKeys.customer]: customerId },
          ...(name !== undefined && { name }),
          ...(email !== undefined && { email }),
          ...(address !== undefined && { address }),
          ...(testClockId !== undefined && { test_clock: testClockId }),
        },
        { idempotencyKey },
      ),
    ),
  )
  return customerView(created)
}

export async function setCustomerEmail(
  connection: Connection,
  { stripeCustomerId, email }: { readonly stripeCustomerId: string; readonly email: string },
): Promise<void> {
  await connection.call('customers.update', (stripe) => stripe.customers.update(stripeCustomerId, { email }))
}

/** No idempotency key of ours: attaching again is harmless, and a stored refusal would outlive its cause. */
export async function attachPaymentMethod(
  connection: Connection,
  { stripeCustomerId, paymentMethodId }: CustomerPaymentMethod,
): Promise<PaymentMethodView> {
  const attached = await connection.call('payment_methods.attach', (stripe) =>
    stripe.paymentMethods.attach(paymentMethodId, { customer: stripeCustomerId }),
  )
  return paymentMethodView(attached)
}

export async function setDefaultPaymentMethod(
  connection: Connection,
  { stripeCustomerId, paymentMethodId }: CustomerPaymentMethod,
): Promise<StripeCustomerView> {
  const updated = await connection.call('customers.update', (stripe) =>
    stripe.customers.update(stripeCustomerId, {
      invoice_settings: { default_payment_method: paymentMethodId },
    }),
  )
  return customerView(updated)
}

/** Errors: stripe_payment_method_not_found. */
export async function getPaymentMethod(connection: Connection, id: string): Promise<PaymentMethodView> {
  try {
    const method = await connection.call('payment_methods.retrieve', (stripe) =>
      stripe.paymentMethods.retrieve(id),
    )
    return paymentMethodView(method)
  } catch (error) {
    if (lacksPermission(error)) return unreadMethod(id)
    if (classifyStripeError(error).code !== 'resource_missing') throw error
    throw new DomainError('stripe_payment_method_not_found', `Stripe has no payment method ${id}`)
  }
}

/** A key that may not look at payment methods may still charge them. */
function unreadMethod(id: string): PaymentMethodView {
  return { id, type: 'unknown', customerId: null, cardBrand: null, cardLast4: null, isUnread: true }
}

function customerView(customer: Stripe.Customer): StripeCustomerView {
  return {
    id: customer.id,
    deleted: false,
    email: customer.email,
    name: customer.name ?? null,
    defaultPaymentMethodId:
      idOf(customer.invoice_settings.default_payment_method) ?? idOf(customer.default_source),
    testClockId: idOf(customer.test_clock),
    currency: customer.currency?.toUpperCase() ?? null,
  }
}

function deletedView(id: string): StripeCustomerView {
  return {
    id,
    deleted: true,
    email: null,
    name: null,
    defaultPaymentMethodId: null,
    testClockId: null,
    currency: null,
  }
}

function paymentMethodView(method: Stripe.PaymentMethod): PaymentMethodView {
  return {
    id: method.id,
    type: method.type,
    customerId: idOf(method.customer),
    cardBrand: method.card?.brand ?? null,
    cardLast4: method.card?.last4 ?? null,
  }
}
