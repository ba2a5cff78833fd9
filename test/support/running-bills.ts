import type { Installation } from './installation.ts'
import { addCustomer, advanceTo, onOwnClock, postTokens } from './scenario.ts'
import type { Scenario } from './scenario.ts'
import { stripeGet } from './stripe-client.ts'

/** An invoice that grows during its period. */
export interface Bill {
  readonly id: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string; readonly availableActions: object }
  readonly totals: { readonly total: string }
  readonly runs?: number
  readonly sentToStripeAt?: string
  readonly amountPaid: string
  readonly externalIds?: { readonly invoicing?: string }
  readonly validationIssues?: readonly { readonly code?: string; readonly message: string }[]
  readonly lines: readonly { readonly id: string; readonly totals: { readonly total: string } }[]
}

interface Billed {
  readonly key: string
  readonly clockId: string
  readonly stripeCustomerId: string
  readonly customerId: string
  readonly subscriptionId: string
}

interface Options {
  readonly stripe?: object
  readonly workflow?: object
  readonly plan?: object
}

export interface StripeInvoice {
  readonly id: string
  readonly status: string
  readonly total: number
  readonly amount_paid: number
  readonly lines: { readonly data: readonly { readonly amount: number; readonly description: string }[] }
}

/** The amounts of an invoice's lines at Stripe, in order of size. */
export const amountsOf = (invoice: StripeInvoice | undefined): readonly number[] =>
  (invoice?.lines.data ?? []).map((line) => line.amount).toSorted((a, b) => a - b)

/** Calls that tests of bills during the period share; every customer has a clock of their own. */
export function runningBills(installation: Installation, scenario: Scenario) {
  /** A customer on a clock that stands at New Year, subscribed and billed for the first month. */
  async function subscribed(key: string, { stripe, workflow, plan }: Options = {}): Promise<Billed> {
    const { call } = installation
    const own = await onOwnClock(installation, scenario)
    const customer = await addCustomer(installation, own, { key, email: `${key}@example.com` })
    if (stripe !== undefined || workflow !== undefined) {
      await call('PUT', `/api/v1/billing/customers/${customer.id}`, { stripe, workflow })
    }
    const subscription = await call<{ id: string }>('POST', '/api/v1/subscriptions', {
      customerId: customer.id,
      ...(plan ?? { plan: { key: 'tokens_monthly' } }),
    })
    await advanceTo(installation, own.clockId, '2026-01-01T00:00:01Z')
    return {
      key,
      clockId: own.clockId,
      stripeCustomerId: customer.stripeCustomerId,
      customerId: customer.id,
      subscriptionId: subscription.id,
    }
  }

  const usage = async (subject: string, time: string, tokens: number): Promise<void> =>
    await postTokens(installation, { subject, time, tokens })

  const invoiceNow = async ({ subscriptionId }: Billed, body: object = {}): Promise<Bill> =>
    await installation.call<Bill>('POST', `/api/v1/subscriptions/${subscriptionId}/invoice-now`, body)

  const billsOf = async ({ subscriptionId }: Billed): Promise<readonly Bill[]> =>
    (
      await installation.call<{ items: Bill[] }>(
        'GET',
        `/api/v1/subscriptions/${subscriptionId}/invoices?order=ASC&expand=lines`,
      )
    ).items

  /** Everything the customer has at Stripe, oldest first. */
  async function draftsOf({ stripeCustomerId }: Billed): Promise<readonly StripeInvoice[]> {
    const list = await stripeGet<{ data: StripeInvoice[] }>(
      installation.sandboxUrl,
      `invoices?customer=${stripeCustomerId}&limit=100`,
    )
    return list.data.toReversed()
  }

  const collected = async (billed: Billed): Promise<number> =>
    (await draftsOf(billed)).reduce((sum, invoice) => sum + invoice.amount_paid, 0)

  return { subscribed, usage, invoiceNow, billsOf, draftsOf, collected }
}
