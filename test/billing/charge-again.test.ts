import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stepInvoice } from '../../src/billing/invoice-step.ts'
import type { InvoiceStepOptions } from '../../src/billing/invoice-step.ts'
import { upsertCustomerLink } from '../../src/db/stores/apps.ts'
import { takeNewPaymentMethod } from '../../src/db/stores/invoices-of-events.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import { metadataKeys } from '../../src/stripe/metadata.ts'
import { insertCustomer } from '../api/billing-fixtures.ts'
import { insertInvoiceRow, insertSubscriptionRow, sentWorkflow } from '../api/invoice-fixtures.ts'
import { startAccount } from '../relay/support.ts'
import type { Account } from '../relay/support.ts'
import { stripeGet, stripePost } from '../support/stripe-client.ts'

/** An invoice whose payment failed, at a sandbox; the worker dies before the payment that would make up for it. */
let account: Account
beforeAll(async () => {
  account = await startAccount()
})
afterAll(async () => await account.close())

const asOfMs = Date.parse('2025-03-01T00:00:00Z')

interface Payer {
  readonly customerId: string
  readonly stripeCustomerId: string
}

/** An issued invoice at Stripe and here, of a customer who has this to pay with there. */
async function issue(
  card: string | null,
  more: Parameters<typeof insertInvoiceRow>[2] = {},
): Promise<Payer & { readonly invoiceId: string }> {
  const { database, sandbox, appId, profileId } = account
  const { id: stripeCustomerId } = await stripePost(sandbox.url, 'customers', { email: 'ada@example.com' })
  const customerId = await insertCustomer(database.db, { key: ulid() })
  const subscriptionId = await insertSubscriptionRow(database.db, customerId, [])
  const payer = { customerId, stripeCustomerId }
  if (card !== null) await makeDefault(payer, await attach(payer, card))
  await name(payer, null)
  const owner = { customerId, subscriptionId, appId, profileId }
  const invoiceId = await insertInvoiceRow(database.db, owner, {
    status: 'issued',
    stripeCustomerId,
    issuedAt: new Date(asOfMs),
    nextDueAt: new Date(asOfMs),
    dunningSnapshot: JSON.stringify({ retries: ['P3D', 'P7D'], end: 'leave_overdue', grace: 'P7D' }),
    ...more,
  })
  const metadata = { [`metadata[${metadataKeys.invoice}]`]: invoiceId }
  const invoice = await stripePost(sandbox.url, 'invoices', { customer: stripeCustomerId, ...metadata })
  const item = { customer: stripeCustomerId, invoice: invoice.id, amount: '2000', currency: 'usd' }
  await stripePost(sandbox.url, 'invoiceitems', item)
  await stripePost(sandbox.url, `invoices/${invoice.id}/finalize`, { auto_advance: 'false' })
  const patch = { stripeInvoiceId: invoice.id }
  await database.db.updateTable('invoices').set(patch).where('id', '=', invoiceId).execute()
  return { ...payer, invoiceId }
}

async function attach({ stripeCustomerId }: Payer, card: string): Promise<string> {
  const path = `payment_methods/${card}/attach`
  return (await stripePost(account.sandbox.url, path, { customer: stripeCustomerId })).id
}

async function makeDefault({ stripeCustomerId }: Payer, id: string): Promise<void> {
  const changes = { 'invoice_settings[default_payment_method]': id }
  await stripePost(account.sandbox.url, `customers/${stripeCustomerId}`, changes)
}

/** What is charged is named here, and whoever heard of it has looked for what waits for it. */
async function name(payer: Payer, stripeDefaultPaymentMethodId: string | null): Promise<void> {
  const { appId, database } = account
  const now = new Date()
  const named = { stripeDefaultPaymentMethodId, stripeTestClockId: null, paymentMethodSetAt: now }
  await upsertCustomerLink(database.db, { ...payer, ...named, appId }, now)
  await takeNewPaymentMethod(database.db, { ...payer, appId, isAnother: true })
}

const step = async (
  invoiceId: string,
  gateway: Partial<StripeGateway> = {},
  more: Partial<InvoiceStepOptions> = {},
) => {
  const deps = { db: account.database.db, stripe: { ...account.stripe, ...gateway } }
  return await stepInvoice(deps, { invoiceId, asOfMs, look: false, ...more })
}

/** Pays as often as this; then the worker dies. */
function diesAfter(
  payments: number,
  meanwhile: () => Promise<void> = async () => {},
): Partial<StripeGateway> {
  let paid = 0
  const payInvoice: StripeGateway['payInvoice'] = async (app, request) => {
    if ((paid += 1) > payments) throw new Error('the worker dies')
    const view = await account.stripe.payInvoice(app, request)
    await meanwhile()
    return view
  }
  return { payInvoice }
}

const died = 'the worker dies'
const declined = 'pm_card_chargeCustomerFail'

test('rule 32: a card that came while another was declined is charged by the next step, where this one died', async () => {
  const { invoiceId, ...payer } = await issue(declined)
  const card = await attach(payer, 'pm_card_visa')
  const dying = diesAfter(1, async () => await name(payer, card))
  await expect(step(invoiceId, dying)).rejects.toThrow(died)
  expect(await step(invoiceId)).toMatchObject({ status: 'paid', attempts: 1 })
})

test('rule 32: so is one that became the default at Stripe where there was none', async () => {
  const { invoiceId, ...payer } = await issue(null)
  const card = await attach(payer, 'pm_card_visa')
  await expect(
    step(
      invoiceId,
      diesAfter(1, async () => await makeDefault(payer, card)),
    ),
  ).rejects.toThrow(died)
  expect(await step(invoiceId)).toMatchObject({ status: 'paid', attempts: 1 })
})

test('rule 32: where none came, a refusal for want of one waits as long as the last retry', async () => {
  const { invoiceId } = await issue(null)
  const waiting = { status: 'issued', substatus: 'payment_method_needed', needsNewPaymentMethod: true }
  const until = new Date('2025-03-08T00:00:00Z')
  expect(await step(invoiceId)).toMatchObject({ ...waiting, attempts: 1, nextDueAt: until })
})

test('rule 32: a card that came after the failure is charged by the next step, where this one died', async () => {
  const { invoiceId, ...payer } = await issue(declined)
  expect(await step(invoiceId)).toMatchObject({ substatus: 'payment_failed', attempts: 1 })
  await name(payer, await attach(payer, 'pm_card_visa'))
  await expect(step(invoiceId, diesAfter(0), { look: true })).rejects.toThrow(died)
  expect(await step(invoiceId)).toMatchObject({ status: 'paid', attempts: 1 })
})

test('rule 32: a payment that a person retried is made by the next step, where this one died', async () => {
  const { invoiceId, ...payer } = await issue(declined)
  await step(invoiceId)
  await makeDefault(payer, await attach(payer, 'pm_card_visa'))
  const command = { kind: 'retry', requestId: ulid() } as const
  await expect(step(invoiceId, diesAfter(0), { command })).rejects.toThrow(died)
  expect(await step(invoiceId, {}, { command })).toMatchObject({ status: 'paid', attempts: 1 })
})

/** On the page that the e-mail leads to. */
async function payOnPage(invoiceId: string, card: string): Promise<void> {
  const { database, sandbox } = account
  const invoices = database.db.selectFrom('invoices').select('stripeInvoiceId').where('id', '=', invoiceId)
  const { stripeInvoiceId } = await invoices.executeTakeFirstOrThrow()
  const path = `invoices/${stripeInvoiceId}`
  const { hosted_invoice_url: page } = await stripeGet<{ hosted_invoice_url: string }>(sandbox.url, path)
  await fetch(page, { method: 'POST', body: new URLSearchParams({ card }) })
}

test('rule 32: an e-mailed invoice is left to its customer, whatever card comes after one was declined', async () => {
  const emailed = { workflowSnapshot: JSON.stringify(sentWorkflow), sentAt: new Date(asOfMs) }
  const { invoiceId, ...payer } = await issue(null, emailed)
  await payOnPage(invoiceId, '4000000000000002')
  const failed = { status: 'issued', substatus: 'payment_failed', attempts: 1 }
  expect(await step(invoiceId, {}, { look: true })).toMatchObject(failed)
  await name(payer, await attach(payer, 'pm_card_visa'))
  expect(await step(invoiceId, {}, { look: true })).toMatchObject(failed)
  await payOnPage(invoiceId, '4242424242424242')
  expect(await step(invoiceId, {}, { look: true })).toMatchObject({ status: 'paid' })
})
