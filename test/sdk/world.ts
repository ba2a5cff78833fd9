import type { BillingWorkflowCreate, Customer, Invoice } from '@openmeter/sdk'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { tokenPlan } from '../support/plans.ts'
import { advanceTo, waitFor } from '../support/scenario.ts'
import { giveCard, stripeClock, stripePost } from '../support/stripe-client.ts'
import { answered, checkedClient } from './checked-client.ts'
import type { CheckedClient } from './checked-client.ts'

/** An installation that is driven by the published client alone; only test clocks and what happens at Stripe are not. */
export interface SdkWorld extends CheckedClient {
  readonly installation: Installation
  readonly close: () => Promise<void>
}

export const START = '2026-01-01T00:00:00Z'

export async function startSdkWorld(): Promise<SdkWorld> {
  const installation = await startInstallation()
  return { ...checkedClient(installation.url), installation, close: installation.close }
}

/** Installs Stripe and makes the default profile; returns the ids. */
export async function installStripe({ client }: SdkWorld): Promise<{ appId: string; profileId: string }> {
  const { app } = answered(
    await client.apps.marketplace.installWithAPIKey('stripe', {
      apiKey: 'sk_test_sandbox',
      name: 'Stripe',
      createBillingProfile: false,
    }),
  )
  const profile = answered(
    await client.billing.profiles.create({
      name: 'Default',
      default: true,
      supplier: { name: 'Acme Inc.', addresses: [{ country: 'US', city: 'Dover' }] },
      workflow: {},
      apps: { tax: app.id, invoicing: app.id, payment: app.id },
    }),
  )
  return { appId: app.id, profileId: profile.id }
}

export async function addCatalog({ client }: SdkWorld): Promise<void> {
  await client.meters.create({
    slug: 'tokens',
    name: 'Tokens',
    eventType: 'request',
    aggregation: 'SUM',
    valueProperty: '$.tokens',
    groupBy: { kind: '$.kind' },
  })
  await client.features.create({ key: 'tokens', name: 'Tokens', meterSlug: 'tokens' })
  const plan = answered(await client.plans.create(tokenPlan))
  await client.plans.publish(plan.id)
}

interface CustomerOptions {
  readonly key: string
  /** A `pm_card_…` token; null: no card. */
  readonly card?: string | null
  /** Settings of its own; left out: the default profile's. */
  readonly workflow?: BillingWorkflowCreate
  readonly appId?: string
}

export interface SdkCustomer {
  readonly customer: Customer
  readonly clockId: string
  readonly stripeCustomerId: string
}

/** A customer on a test clock of its own, linked to a customer at Stripe by the client. */
export async function addSdkCustomer(world: SdkWorld, options: CustomerOptions): Promise<SdkCustomer> {
  const { client, installation } = world
  const { key, card = 'pm_card_visa' } = options
  const clock = await installation.call<{ id: string }>('POST', '/api/v1/test-clocks', {
    name: key,
    frozenTime: START,
  })
  const stripeCustomerId = await stripeCustomer(installation.sandboxUrl, key, card)
  // The client's types do not know of test clocks, and let a variable carry one.
  const details = {
    key,
    name: key,
    currency: 'USD',
    primaryEmail: `${key}@example.com`,
    usageAttribution: { subjectKeys: [key] },
    testClockId: clock.id,
  }
  const customer = answered(await client.customers.create(details))
  await client.customers.stripe.upsert(customer.id, { stripeCustomerId })
  if (options.workflow && options.appId !== undefined) {
    const profile = answered(
      await client.billing.profiles.create({
        name: `For ${key}`,
        default: false,
        supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
        workflow: options.workflow,
        apps: { tax: options.appId, invoicing: options.appId, payment: options.appId },
      }),
    )
    await client.billing.customers.createOverride(customer.id, { billingProfileId: profile.id })
  }
  return { customer, clockId: clock.id, stripeCustomerId }
}

async function stripeCustomer(sandboxUrl: string, name: string, card: string | null): Promise<string> {
  const clockId = await stripeClock(sandboxUrl, START)
  const email = `${name}@example.com`
  const stripe = await stripePost(sandboxUrl, 'customers', { name, email, test_clock: clockId })
  if (card !== null) await giveCard(sandboxUrl, stripe.id, card)
  return stripe.id
}

/** Subscribes a customer to the token plan, now on its clock. */
export async function subscribe({ client }: SdkWorld, customerId: string) {
  return answered(await client.subscriptions.create({ customerId, plan: { key: tokenPlan.key } }))
}

export async function invoicesOf({ client }: SdkWorld, customerId: string): Promise<readonly Invoice[]> {
  const page = answered(
    await client.billing.invoices.list({ customers: [customerId], expand: ['lines'], order: 'ASC' }),
  )
  return page.items
}

/** The customer's first invoice, once it is as it should be: a status, finer where there is a dot, or what the test says. */
export async function firstInvoice(
  world: SdkWorld,
  customerId: string,
  wanted: string | ((invoice: Invoice) => boolean),
): Promise<Invoice> {
  const isWanted = ({ status, statusDetails }: Invoice): boolean =>
    wanted === status || wanted === statusDetails.extendedStatus
  const items = await waitFor(
    async () => await invoicesOf(world, customerId),
    ([invoice]) =>
      invoice !== undefined && (typeof wanted === 'string' ? isWanted(invoice) : wanted(invoice)),
  )
  return answered(items[0])
}

export async function advance(world: SdkWorld, clockId: string, frozenTime: string): Promise<void> {
  await advanceTo(world.installation, clockId, frozenTime)
}
