import { HTTPError } from '@openmeter/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { giveCard } from '../support/stripe-client.ts'
import { answered } from './checked-client.ts'
import {
  addCatalog,
  addSdkCustomer,
  advance,
  firstInvoice,
  installStripe,
  START,
  startSdkWorld,
  subscribe,
} from './world.ts'
import type { SdkWorld } from './world.ts'

let world: SdkWorld
let appId = ''

beforeAll(async () => {
  world = await startSdkWorld()
  appId = (await installStripe(world)).appId
  await addCatalog(world)
})
afterAll(async () => {
  await world.close()
})

const action = (resultingState: string) => ({ resultingState })

test('a draft waits for approval under a draft number, and is issued and paid when it is approved', async () => {
  const workflow = { invoicing: { autoAdvance: false } }
  const { customer } = await addSdkCustomer(world, { key: 'approved', workflow, appId })
  await subscribe(world, customer.id)
  const draft = await firstInvoice(world, customer.id, 'draft')
  expect(draft.number).toMatch(/^DRAFT-/)
  expect(draft.statusDetails).toEqual({
    immutable: false,
    failed: false,
    extendedStatus: 'draft.waiting_approval',
    availableActions: { approve: action('issued'), void: action('voided') },
  })
  expect(draft.workflow.workflow.invoicing?.autoAdvance).toBe(false)
  expect(draft.externalIds).toBeUndefined()
  expect(draft.totals.total).toBe('20.00')
  const approved = answered(await world.client.billing.invoices.approve(draft.id))
  expect(approved.id).toBe(draft.id)
  const paid = await firstInvoice(world, customer.id, 'paid')
  expect(paid.number).toMatch(/^INV-/)
  expect(paid.statusDetails).toMatchObject({ immutable: true, availableActions: {} })
})

test('an e-mailed invoice is issued with its terms, becomes overdue, and is paid on Stripe’s page', async () => {
  const workflow = {
    payment: { collectionMethod: 'send_invoice' as const },
    invoicing: { dueAfter: 'P10D' },
  }
  const { customer, clockId } = await addSdkCustomer(world, { key: 'mailed', card: null, workflow, appId })
  await subscribe(world, customer.id)
  const issued = await firstInvoice(world, customer.id, (one) => one.sentToCustomerAt !== undefined)
  const dueAt = new Date('2026-01-11T00:00:00Z')
  expect(issued).toMatchObject({ issuedAt: new Date(START), sentToCustomerAt: new Date(START), dueAt })
  expect(issued.payment?.terms).toEqual({
    type: 'due_date',
    dueAt: [{ dueAt, amount: '20.00', percent: 100, currency: 'USD' }],
  })
  expect(issued.statusDetails).toMatchObject({
    immutable: true,
    failed: false,
    extendedStatus: 'issued',
    availableActions: { void: action('voided') },
  })
  await advance(world, clockId, '2026-01-12T00:00:00Z')
  const overdue = await firstInvoice(world, customer.id, 'overdue')
  expect(overdue.statusDetails.availableActions).toMatchObject({
    retry: action('paid'),
    void: action('voided'),
  })
  const { hostedInvoiceUrl } = await world.installation.call<{ hostedInvoiceUrl: string }>(
    'GET',
    `/api/v1/billing/invoices/${overdue.id}`,
  )
  const page = await fetch(hostedInvoiceUrl, {
    method: 'POST',
    body: new URLSearchParams({ card: '4242424242424242' }),
  })
  expect(page.ok).toBe(true)
  const paid = await firstInvoice(world, customer.id, 'paid')
  expect(paid.statusDetails.availableActions).toEqual({})
})

test('a failed payment shows why and what can be done, and retrying with a good card pays', async () => {
  const { customer, stripeCustomerId } = await addSdkCustomer(world, {
    key: 'declined',
    card: 'pm_card_chargeCustomerFail',
  })
  await subscribe(world, customer.id)
  const issued = await firstInvoice(world, customer.id, 'issued.payment_failed')
  expect(issued.statusDetails).toEqual({
    immutable: true,
    failed: true,
    extendedStatus: 'issued.payment_failed',
    availableActions: { retry: action('paid'), void: action('voided') },
  })
  const [issue] = answered(issued.validationIssues)
  expect(issue).toMatchObject({ severity: 'critical', component: 'perennial.payment' })
  expect(issue?.message).toContain('declined')
  await giveCard(world.installation.sandboxUrl, stripeCustomerId, 'pm_card_visa')
  const retried = answered(await world.client.billing.invoices.retry(issued.id))
  expect(retried).toMatchObject({ status: 'paid', statusDetails: { failed: false } })
  expect(retried.validationIssues).toBeUndefined()
})

test('a voided invoice says when, and nothing can be done with it any more', async () => {
  const workflow = { payment: { collectionMethod: 'send_invoice' as const } }
  const { customer } = await addSdkCustomer(world, { key: 'voided', card: null, workflow, appId })
  await subscribe(world, customer.id)
  const issued = await firstInvoice(world, customer.id, (one) => one.sentToCustomerAt !== undefined)
  const voided = answered(
    await world.client.billing.invoices.void(issued.id, {
      reason: 'sent by mistake',
      action: { percentage: 100, action: { type: 'discard' } },
    }),
  )
  expect(voided).toMatchObject({ status: 'voided', voidedAt: new Date(START), number: issued.number })
  expect(voided.statusDetails).toEqual({
    immutable: true,
    failed: false,
    extendedStatus: 'voided',
    availableActions: {},
  })
  expect(voided.totals).toEqual(issued.totals)
  const approving: unknown = await world.client.billing.invoices
    .approve(issued.id)
    .catch((refused: unknown) => refused)
  expect(approving instanceof HTTPError && approving.getField('code')).toBe('action_not_available')
})

test('invoices are found by status, and what the contract knows and we do not serve says so', async () => {
  const { client } = world
  const voided = answered(await client.billing.invoices.list({ statuses: ['voided'] }))
  expect(voided.items.map(({ status }) => status)).toEqual(['voided'])
  const refused: unknown = await client.addons.list().catch((error: unknown) => error)
  expect(refused instanceof HTTPError && [refused.status, refused.getField('code')]).toEqual([
    501,
    'not_implemented',
  ])
})
