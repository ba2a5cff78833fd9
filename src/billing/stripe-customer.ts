import type { CustomerAppRow } from '../db/stores/apps.ts'
import { appAndLink } from '../db/stores/billing-settings.ts'
import { appLinkAndLines } from '../db/stores/invoice-to-send.ts'
import type { ToSend } from '../db/stores/invoice-to-send.ts'
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
  const stripeCustomerId = namedCustomer(row)
  const { app, link } = await appAndLink(deps.db, row.appId, row.customerId)
  requireThere(stripeCustomerId, link)
  return { stripeCustomerId, app }
}

/**
 * The app, and what its invoice is sent with, where that is not known already. Errors: customer_not_linked,
 * stripe_customer_deleted.
 */
export async function requireSendable(
  deps: CollectDeps,
  row: InvoiceRow,
  known: ToSend | undefined,
): Promise<Omit<ToSend, 'link'>> {
  const stripeCustomerId = namedCustomer(row)
  const { app, link, lines } = known ?? (await appLinkAndLines(deps.db, row))
  requireThere(stripeCustomerId, link)
  return { app, lines }
}

function namedCustomer({ stripeCustomerId }: InvoiceRow): string {
  if (stripeCustomerId !== null) return stripeCustomerId
  throw new DomainError(
    'customer_not_linked',
    'the customer has no Stripe customer; link one, then retry the invoice',
  )
}

function requireThere(stripeCustomerId: string, link: CustomerAppRow | null): void {
  if (link === null || link.stripeDeletedAt === null || link.stripeCustomerId !== stripeCustomerId) return
  throw deleted(stripeCustomerId)
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
