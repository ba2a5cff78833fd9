import { appAndLink } from '../db/stores/billing-settings.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
import { setStripeCustomerDeleted } from '../db/stores/stripe-customers.ts'
import { DomainError } from '../domain/errors.ts'
import { classifyStripeError, draftDeleted } from '../stripe/failures.ts'
import type { CollectDeps } from './collect-deps.ts'

interface StripeCustomerOfInvoice {
  readonly stripeCustomerId: string
  readonly app: Awaited<ReturnType<typeof appAndLink>>['app']
}

/** The Stripe customer of an invoice, and the app they are in. Errors: customer_not_linked, stripe_customer_deleted. */
export async function requireStripeCustomer(
  deps: CollectDeps,
  row: InvoiceRow,
): Promise<StripeCustomerOfInvoice> {
  if (row.stripeCustomerId === null) {
    throw new DomainError(
      'customer_not_linked',
      'the customer has no Stripe customer; link one, then retry the invoice',
    )
  }
  const { app, link } = await appAndLink(deps.db, row.appId, row.customerId)
  const isGone = link?.stripeDeletedAt !== null && link?.stripeCustomerId === row.stripeCustomerId
  if (link !== null && isGone) throw deleted(row.stripeCustomerId)
  return { stripeCustomerId: row.stripeCustomerId, app }
}

const deleted = (stripeCustomerId: string): DomainError =>
  new DomainError(
    'stripe_customer_deleted',
    `the Stripe customer ${stripeCustomerId} was deleted; link the customer to another one`,
  )

/**
 * The failure in words of ours where what it is about is gone at Stripe: the draft, or the customer, which is noted on the
 * link.
 */
export async function namingWhatIsGone(deps: CollectDeps, row: InvoiceRow, error: unknown): Promise<unknown> {
  const { kind, code, param, message } = classifyStripeError(error)
  if (code === 'stripe_invoice_not_found' && row.status === 'issuing' && row.stripeInvoiceId !== null)
    return draftDeleted(row.stripeInvoiceId)
  const isCustomer = param === 'customer' || /no such customer/i.test(message)
  if (kind !== 'final' || code !== 'resource_missing' || !isCustomer || row.stripeCustomerId === null)
    return error
  await setStripeCustomerDeleted(deps.db, { appId: row.appId, stripeCustomerId: row.stripeCustomerId })
  return deleted(row.stripeCustomerId)
}
