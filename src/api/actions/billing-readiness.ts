import type { BillingSettings } from '../../billing/settings.ts'
import { parseDecimal, zero } from '../../domain/decimal.ts'
import { DomainError } from '../../domain/errors.ts'
import type { Phase, Price, RateCard } from '../../domain/rate-card.ts'
import type { StripeCustomerView } from '../../stripe/customer-types.ts'
import type { ApiDeps } from '../deps.ts'

/** Whether the phase can cost anything: a plan that starts free needs no payment method yet. */
export function isPaid(phase: Phase | undefined): boolean {
  return phase?.rateCards.some((card) => card.price !== null && canCost(card.price, isGiven(card))) ?? false
}

/** All of it is discounted away; a minimum spend comes after discounts (billing rule 15). */
function isGiven({ discounts }: RateCard): boolean {
  const percentage = discounts?.percentage?.percentage
  return percentage !== undefined && parseDecimal(String(percentage)).gte(parseDecimal('100'))
}

function canCost(price: Price, isDiscounted: boolean): boolean {
  const positive = (amount: string | undefined): boolean =>
    amount !== undefined && parseDecimal(amount).gt(zero)
  if (price.type === 'flat') return !isDiscounted && positive(price.amount)
  if (positive(price.minimumAmount)) return true
  if (isDiscounted) return false
  switch (price.type) {
    case 'unit':
    case 'package':
      return positive(price.amount)
    case 'dynamic':
      return true
    case 'tiered':
      return price.tiers.some((tier) => positive(tier.flatPrice?.amount) || positive(tier.unitPrice?.amount))
  }
}

/**
 * Refuses what could only fail at the first invoice: nobody to send it to, or nothing to charge. Errors:
 * customer_not_linked, payment_method_missing, customer_email_missing, and what Stripe refuses.
 */
export async function requireCollectable(deps: ApiDeps, settings: BillingSettings): Promise<void> {
  const { app, link, customer, workflow } = settings
  if (app.type !== 'stripe') return
  const name = customer.key ?? customer.id
  if (link === null) {
    throw new DomainError(
      'customer_not_linked',
      `The customer ${name} is not linked to a Stripe customer of ${app.name}: ${howToPay}.`,
      { field: 'customerId' },
    )
  }
  const there = await deps.stripe.getCustomer(app, link.stripeCustomerId)
  if (there.deleted) {
    throw new DomainError(
      'customer_not_linked',
      `The Stripe customer ${there.id} of ${name} was deleted; link another.`,
      { field: 'customerId' },
    )
  }
  const method = workflow.payment.collectionMethod
  const linked = link.stripeDefaultPaymentMethodId
  if (method === 'charge_automatically' && linked !== null)
    return await requireAttached(deps, settings, linked)
  requireMeans(there, { name, method })
}

const howToPay =
  'send them through POST /api/v1/stripe/checkout/sessions, or PUT /api/v1/customers/{id}/stripe'

interface Means {
  readonly name: string
  readonly method: 'charge_automatically' | 'send_invoice'
}

/** The payment method that the link names is charged before the customer's default at Stripe: it has to be theirs still. */
async function requireAttached(
  deps: ApiDeps,
  { app, link, customer }: BillingSettings,
  linked: string,
): Promise<void> {
  const method = await deps.stripe.getPaymentMethod(app, linked)
  // A key that may not look at payment methods may still charge them.
  if (method.isUnread === true || method.customerId === link?.stripeCustomerId) return
  throw new DomainError(
    'payment_method_missing',
    `The payment method ${linked} of ${customer.key ?? customer.id} is not attached to their Stripe customer any more.`,
    { field: 'customerId' },
  )
}

function requireMeans(there: StripeCustomerView, { name, method }: Means): void {
  if (method === 'send_invoice') {
    if (there.email !== null) return
    throw new DomainError(
      'customer_email_missing',
      `The Stripe customer ${there.id} of ${name} has no e-mail address to send invoices to.`,
      { field: 'customerId' },
    )
  }
  if (there.defaultPaymentMethodId !== null) return
  throw new DomainError(
    'payment_method_missing',
    `The Stripe customer ${there.id} of ${name} has no default payment method to charge: ${howToPay}.`,
    { field: 'customerId' },
  )
}
