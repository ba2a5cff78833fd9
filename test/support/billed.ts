import type { Installation } from './installation.ts'
import { addCustomer, NEW_YEAR, onOwnClock, waitFor } from './scenario.ts'
import type { Scenario } from './scenario.ts'
import { steerSandbox } from './stripe-client.ts'

/** Customers with test clocks of their own on one installation, and what they are billed. */
export interface BilledCustomer {
  readonly customerId: string
  readonly stripeCustomerId: string
  readonly clockId: string
}

/** An invoice as the API shows it. */
export interface ShownInvoice {
  readonly id: string
  readonly number: string
  readonly status: string
  readonly currency: string
  readonly statusDetails: { readonly extendedStatus: string; readonly availableActions: object }
  readonly totals: Readonly<Record<'amount' | 'taxesTotal' | 'taxesInclusiveTotal' | 'total', string>>
  readonly lines?: readonly {
    readonly name: string
    readonly totals: Readonly<Record<'amount' | 'taxesTotal' | 'total', string>>
  }[]
  readonly validationIssues?: readonly { readonly code?: string; readonly message: string }[]
  readonly externalIds?: { readonly invoicing: string }
  readonly amountPaid: string
  readonly amountRemaining: string
  readonly adjustments?: readonly Readonly<Record<string, string>>[]
  readonly taxOutcome?: string
  readonly nextActionAt?: string
  readonly paymentAttempts: number
}

interface NewCustomer {
  readonly key: string
  readonly card?: string | null
  readonly currency?: string
  readonly start?: string
  /** Of a billing profile of their own; left out: the default one. */
  readonly workflow?: object
}

/** Calls on an installation that tests of what happens at Stripe share. */
export function billedCustomers(installation: Installation, scenario: Scenario) {
  const { call, sandboxUrl } = installation

  /** Steers the sandbox. */
  const sandbox = async <T>(method: string, path: string, body?: object): Promise<T> =>
    await steerSandbox(sandboxUrl, { method, path, ...(body && { body }) })

  const profileFor = async (customerId: string, workflow: object): Promise<void> => {
    const profile = await call<{ id: string }>('POST', '/api/v1/billing/profiles', {
      name: `For ${customerId}`,
      default: false,
      supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
      workflow,
      apps: { tax: scenario.appId, invoicing: scenario.appId, payment: scenario.appId },
    })
    await call('PUT', `/api/v1/billing/customers/${customerId}`, { billingProfileId: profile.id })
  }

  const newCustomer = async (options: NewCustomer): Promise<BilledCustomer> => {
    const { key, start = NEW_YEAR, workflow } = options
    const own = await onOwnClock(installation, scenario, start)
    const { id, stripeCustomerId } = await addCustomer(installation, own, {
      key,
      email: 'billing@example.com',
      ...(options.card !== undefined && { card: options.card }),
      ...(options.currency !== undefined && { currency: options.currency }),
    })
    if (workflow !== undefined) await profileFor(id, workflow)
    return { customerId: id, stripeCustomerId, clockId: own.clockId }
  }

  const subscribe = async ({ customerId }: BilledCustomer, planKey = 'tokens_monthly'): Promise<void> => {
    await call('POST', '/api/v1/subscriptions', { customerId, plan: { key: planKey } })
  }

  const invoices = async ({ customerId }: BilledCustomer): Promise<readonly ShownInvoice[]> => {
    const query = `customers=${customerId}&order=ASC&expand=lines`
    return (await call<{ items: ShownInvoice[] }>('GET', `/api/v1/billing/invoices?${query}`)).items
  }

  /** Waits until the customer's latest invoice is as wanted. */
  const untilInvoice = async (
    billed: BilledCustomer,
    isWanted: (invoice: ShownInvoice) => boolean,
  ): Promise<ShownInvoice> => {
    const found = await waitFor(
      async () => (await invoices(billed)).at(-1),
      (invoice) => invoice !== undefined && isWanted(invoice),
    )
    if (!found) throw new Error('no invoice')
    return found
  }

  const timeline = async (invoiceId: string): Promise<readonly string[]> => {
    const path = `/api/v1/billing/invoices/${invoiceId}/timeline`
    return (await call<{ detail: string }[]>('GET', path)).map(({ detail }) => detail)
  }

  const retry = async (invoiceId: string): Promise<void> => {
    await call('POST', `/api/v1/billing/invoices/${invoiceId}/retry`)
  }

  return { sandbox, newCustomer, subscribe, invoices, untilInvoice, timeline, retry }
}
