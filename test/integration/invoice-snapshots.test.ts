import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import {
  addCustomer,
  addTokenPlan,
  advanceTo,
  onOwnClock,
  startScenario,
  waitFor,
} from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripeGet } from '../support/stripe-client.ts'

/** An invoice is of what was true when it was made. */
let installation: Installation
let scenario: Scenario

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation)
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

interface HasId {
  readonly id: string
}
interface Invoice extends HasId {
  readonly customer: { readonly name: string }
  readonly supplier: { readonly name: string }
  readonly statusDetails: { readonly extendedStatus: string }
  readonly totals: { readonly total: string }
  readonly externalIds?: { readonly invoicing: string }
}

const subscribe = async (customerId: string): Promise<HasId> =>
  await installation.call('POST', '/api/v1/subscriptions', { customerId, plan: { key: 'tokens_monthly' } })

const invoicesOf = async (customerId: string): Promise<readonly Invoice[]> =>
  (
    await installation.call<{ items: Invoice[] }>(
      'GET',
      `/api/v1/billing/invoices?customers=${customerId}&order=ASC&expand=lines`,
    )
  ).items

/** The first invoice, once it is where `words` say. */
async function firstInvoice(customerId: string, words: string): Promise<Invoice> {
  const [invoice] = await waitFor(
    async () => await invoicesOf(customerId),
    ([first]) => first?.statusDetails.extendedStatus.includes(words) ?? false,
  )
  if (invoice === undefined) throw new Error('there is no invoice')
  return invoice
}

test('rule 23: a profile that is changed or deleted leaves the invoices that exist as they were', async () => {
  const { appId } = scenario
  const settings = {
    name: 'Approved',
    default: false,
    supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
    workflow: { invoicing: { autoAdvance: false } },
    stripe: { paymentMethodTypes: ['card'] },
  }
  const apps = { tax: appId, invoicing: appId, payment: appId }
  const profile = await installation.call<{ id: string }>('POST', '/api/v1/billing/profiles', {
    ...settings,
    apps,
  })
  const customer = await addCustomer(installation, scenario, { key: 'snapshot' })
  await installation.call('PUT', `/api/v1/billing/customers/${customer.id}`, {
    billingProfileId: profile.id,
    dunning: { grace: 'P2D' },
  })
  await subscribe(customer.id)
  const invoice = await firstInvoice(customer.id, 'waiting_approval')
  const snapshot = async () =>
    await installation.database.db
      .selectFrom('invoices')
      .select([
        'workflowSnapshot',
        'dunningSnapshot',
        'stripeSnapshot',
        'supplierSnapshot',
        'billingProfileId',
      ])
      .where('id', '=', invoice.id)
      .executeTakeFirstOrThrow()
  const made = await snapshot()
  expect(made).toMatchObject({
    dunningSnapshot: { grace: 'P2D' },
    stripeSnapshot: { paymentMethodTypes: ['card'], billing: 'invoice' },
  })
  const path = `/api/v1/billing/profiles/${profile.id}`
  await installation.call('PUT', path, { ...settings, workflow: {}, stripe: { paymentMethodTypes: [] } })
  expect(await snapshot()).toEqual(made)
  await installation.call('DELETE', `/api/v1/billing/customers/${customer.id}`)
  await installation.call('DELETE', path)
  expect(await snapshot()).toEqual(made)

  await installation.call('POST', `/api/v1/billing/invoices/${invoice.id}/approve`)
  const issued = await firstInvoice(customer.id, 'paid')
  const at = await stripeGet<{ payment_settings: { payment_method_types: readonly string[] | null } }>(
    installation.sandboxUrl,
    `invoices/${issued.externalIds?.invoicing}`,
  )
  expect(at.payment_settings.payment_method_types, 'as it was when the invoice was made').toEqual(['card'])
})

test('rule 23: an invoice stays as it was when customer, supplier and plan change', async () => {
  const { call } = installation
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'renamed' })
  await subscribe(customer.id)
  await advanceTo(installation, own.clockId, '2026-01-02T00:00:00Z')
  const [before] = await invoicesOf(customer.id)
  await call('PUT', `/api/v1/customers/${customer.id}`, {
    key: 'renamed',
    name: 'Another name',
    currency: 'USD',
    usageAttribution: { subjectKeys: ['renamed'] },
  })
  const profile = await call<Record<string, unknown>>('GET', `/api/v1/billing/profiles/${scenario.profileId}`)
  const supplier = { name: 'Other Inc.', addresses: [{ country: 'DE' }] }
  await call('PUT', `/api/v1/billing/profiles/${scenario.profileId}`, { ...profile, supplier })
  const next = await call<Record<string, unknown> & HasId>('POST', '/api/v1/plans/tokens_monthly/next')
  const dearer = JSON.parse(JSON.stringify(next.phases).replace('"amount":"20"', '"amount":"99"')) as object
  await call('PUT', `/api/v1/plans/${next.id}`, { name: 'Dearer', billingCadence: 'P1M', phases: dearer })
  await call('POST', `/api/v1/plans/${next.id}/publish`)
  await advanceTo(installation, own.clockId, '2026-02-01T00:00:00Z')
  const [after, second] = await invoicesOf(customer.id)
  expect(after).toEqual(before)
  expect(before).toMatchObject({ customer: { name: 'renamed' }, supplier: { name: 'Acme Inc.' } })
  // The next invoice is of the new names, at the prices that were subscribed to.
  expect(second).toMatchObject({
    customer: { name: 'Another name' },
    supplier: { name: 'Other Inc.' },
    totals: { total: '20.00' },
  })
})
