import { listCustomerLinks } from '../db/stores/apps.ts'
import { storedApp } from '../db/stores/billing-settings.ts'
import { findCustomerLink, invoicesWithoutLink } from '../db/stores/customer-links.ts'
import { findCustomer } from '../db/stores/customers.ts'
import type { OutboxRow } from '../db/stores/outbox.ts'
import { takeNewPaymentMethod } from '../db/stores/invoices-of-events.ts'
import { invoiceStart } from '../db/stores/workflow-starts.ts'
import { isDomainError } from '../domain/errors.ts'
import { StripeFailure } from '../stripe/failures.ts'
import { signalInvoice } from './handlers/invoice.ts'
import type { RelayDeps } from './relay.ts'

/** A customer was linked to Stripe: invoices that could not be issued, or waited for a payment method, go on. */
export async function wakeLinked(deps: RelayDeps, row: OutboxRow): Promise<void> {
  const { appId, hasPaymentMethod, isAnother } = row.payload as {
    readonly appId: string
    readonly hasPaymentMethod: boolean
    readonly isAnother?: boolean
  }
  const link = await findCustomerLink(deps.db, row.subjectId, appId)
  if (link === null) return
  const wake = { eventId: `linked-${row.id}`, type: 'customer_linked' }
  if (hasPaymentMethod) await wakeWaiting(deps, { ...link, isAnother: isAnother === true }, wake)
  await issueAgain(deps, link, `linked-${row.id}-${row.attempts}`)
}

interface Linked {
  readonly customerId: string
  readonly appId: string
  readonly stripeCustomerId: string
}

/**
 * Collects what waited for another payment method of the Stripe customer, and where it is another than before
 * (`isAnother`) what would be tried again later; returns how many invoices that is.
 */
export async function wakeWaiting(
  deps: RelayDeps,
  link: Pick<Linked, 'appId' | 'stripeCustomerId'> & { readonly isAnother: boolean },
  event: { readonly eventId: string; readonly type: string },
): Promise<number> {
  const invoices = await takeNewPaymentMethod(deps.db, link)
  for (const invoice of invoices) await signalInvoice(deps, invoice, event)
  return invoices.length
}

/** Retries the invoices that were refused for want of a Stripe customer. Its request id is another at each try. */
export async function issueAgain(deps: RelayDeps, link: Linked, requestId: string): Promise<void> {
  for (const id of await invoicesWithoutLink(deps.db, link)) {
    const start = await invoiceStart(deps.db, id)
    if (start === undefined) continue
    await deps.temporal.startInvoice(start)
    try {
      await deps.temporal.updateInvoice(id, { kind: 'retry', requestId })
    } catch (error) {
      // Somebody else retried it meanwhile.
      if (!isDomainError(error) || error.code !== 'action_not_available') throw error
    }
  }
}

/** The e-mail address of a customer of ours becomes that of their Stripe customers; without one, Stripe's is kept. */
export async function tellStripe(deps: RelayDeps, customerId: string): Promise<void> {
  const customer = await findCustomer(deps.db, customerId)
  const email = customer?.deletedAt === null ? customer.primaryEmail : null
  if (email === null) return
  for (const link of await listCustomerLinks(deps.db, customerId)) {
    try {
      await setEmail(deps, link, email)
    } catch (error) {
      if (!isRefused(error)) throw error
      // Not what Stripe says: it repeats the address.
      deps.log.warn({ customerId, ...codesOf(error) }, 'Stripe does not take the e-mail address')
    }
  }
}

async function setEmail(deps: RelayDeps, { appId, stripeCustomerId }: Linked, email: string): Promise<void> {
  const app = await storedApp(deps.db, appId)
  const there = await deps.stripe.getCustomer(app, stripeCustomerId)
  if (!there.deleted && there.email !== email)
    await deps.stripe.setCustomerEmail(app, { stripeCustomerId, email })
}

function codesOf(error: unknown): { readonly code: string; readonly requestId?: string | undefined } {
  if (error instanceof StripeFailure) {
    const { code, requestId } = error.failure
    return { code, requestId }
  }
  return { code: isDomainError(error) ? error.code : 'unexpected' }
}

/** Refused for good: trying again would change nothing. */
function isRefused(error: unknown): boolean {
  if (isDomainError(error)) return error.code === 'stripe_customer_not_found'
  return error instanceof StripeFailure && error.failure.kind === 'final'
}
