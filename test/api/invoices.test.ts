import type { OpenMeter } from '@openmeter/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RateCard } from '../../src/domain/rate-card.ts'
import { basePhase, insertCustomer } from './billing-fixtures.ts'
import { connectClient } from './client.ts'
import {
  detail,
  insertInvoiceRow,
  insertLineRow,
  insertOwner,
  insertSubscriptionRow,
  sentWorkflow,
} from './invoice-fixtures.ts'
import type { Owner } from './invoice-fixtures.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
let client: OpenMeter
let owner: Owner

beforeAll(async () => {
  api = await startTestApi()
  client = await connectClient(api.app)
  owner = await insertOwner(api.db)
})
afterAll(async () => await api.close())

const tokens: RateCard = {
  type: 'usage_based',
  key: 'tokens',
  name: 'Tokens',
  featureKey: 'tokens',
  billingCadence: 'P1M',
  price: { type: 'unit', amount: '0.01', maximumAmount: '30' },
  discounts: { percentage: { percentage: 10 }, usage: { quantity: '1000' } },
  taxConfig: { behavior: 'exclusive' },
}

let numbers = 0
/** 5,000 tokens, 1,000 free: $40.00, less 10 % is $36.00, at most $30.00; and a minimum on another line. */
async function explainedInvoice(): Promise<string> {
  const amounts = { subtotalMinor: '5000', discountMinor: '1000', taxMinor: '320', totalMinor: '4320' }
  const id = await insertInvoiceRow(api.db, owner, {
    ...amounts,
    status: 'paid',
    number: `INV-${(numbers += 1)}`,
    paidMinor: '4320',
    stripeInvoiceId: `in_${numbers}`,
  })
  await insertLineRow(api.db, id, {
    kind: 'usage',
    rateCardDocument: tokens,
    featureKey: 'tokens',
    meteredQuantity: '5000.000',
    quantity: '4000',
    amountMinor: '4000',
    discountMinor: '1000',
    taxMinor: '240',
    totalMinor: '3240',
    usageCutoff: '10:20:',
    taxConfig: JSON.stringify(tokens.taxConfig),
    detailDocuments: [detail(3000, { discount: 300 }), detail(1000, { discount: 700 })],
  })
  await insertLineRow(api.db, id, {
    position: 1,
    amountMinor: '1000',
    taxMinor: '80',
    totalMinor: '1080',
    detailDocuments: [detail(400), detail(600, { category: 'commitment' })],
  })
  return id
}

test('an invoice has every total, and its lines explain every cent of them', async () => {
  const invoice = await client.billing.invoices.get(await explainedInvoice())
  expect(invoice?.totals).toEqual({
    amount: '44.00',
    chargesTotal: '6.00',
    discountsTotal: '10.00',
    creditsTotal: '0.00',
    taxesInclusiveTotal: '0.00',
    taxesExclusiveTotal: '3.20',
    taxesTotal: '3.20',
    total: '43.20',
  })
  const cents = (texts: readonly (string | undefined)[]) =>
    texts.reduce((sum, text) => sum + Math.round(Number(text) * 100), 0)
  const lines = invoice?.lines ?? []
  expect(lines).toHaveLength(2)
  for (const field of ['amount', 'chargesTotal', 'discountsTotal', 'taxesTotal', 'total'] as const) {
    expect(cents(lines.map((line) => line.totals[field]))).toBe(cents([invoice?.totals[field]]))
    for (const line of lines) {
      expect(cents((line.children ?? []).map((child) => child.totals[field]))).toBe(
        cents([line.totals[field]]),
      )
    }
  }
})

test('totals are the same whether the lines of a list are shown or not', async () => {
  await explainedInvoice()
  await insertInvoiceRow(api.db, owner)
  const bare = await client.billing.invoices.list()
  const whole = await client.billing.invoices.list({ expand: ['lines'] })
  expect(bare?.items.length).toBeGreaterThan(1)
  expect(bare?.items.map(({ lines }) => lines)).toEqual(bare?.items.map(() => undefined))
  expect(bare?.items).toEqual(whole?.items.map(({ lines: _shown, ...rest }) => rest))
})

test('a line of usage shows its quantities, its price and why it was discounted', async () => {
  const invoice = await client.billing.invoices.get(await explainedInvoice())
  const line = invoice?.lines?.[0]
  expect(line).toMatchObject({
    type: 'usage_based',
    status: 'valid',
    managedBy: 'subscription',
    meteredQuantity: '5000',
    quantity: '4000',
    preLinePeriodQuantity: '0',
    featureKey: 'tokens',
    price: { type: 'unit', amount: '0.01' },
    rateCard: { featureKey: 'tokens', discounts: { percentage: { percentage: 10 } } },
    period: { from: new Date('2025-02-01T00:00:00Z'), to: new Date('2025-03-01T00:00:00Z') },
    subscription: { subscription: { id: owner.subscriptionId } },
    taxes: [{ behavior: 'exclusive' }],
  })
  expect(line?.discounts?.amount?.map(({ reason, amount }) => [reason.type, amount])).toEqual([
    ['ratecard_percentage', '4.00'],
    ['maximum_spend', '6.00'],
  ])
  expect(line?.discounts?.usage).toMatchObject([{ quantity: '1000', reason: { type: 'ratecard_usage' } }])
  expect(line?.children?.[1]).toMatchObject({
    type: 'flat_fee',
    status: 'detailed',
    perUnitAmount: '10.00',
    paymentTerm: 'in_arrears',
    category: 'regular',
  })
})

test('rule 23: supplier, customer and workflow are those of the snapshot', async () => {
  const invoice = await client.billing.invoices.get(await explainedInvoice())
  expect(invoice?.supplier).toEqual({
    id: 'SUP',
    name: 'Perennial Inc',
    taxId: { code: 'US-1' },
    addresses: [{ country: 'US' }],
  })
  expect(invoice?.customer).toEqual({
    id: owner.customerId,
    key: 'acme',
    name: 'Acme',
    addresses: [{ country: 'US' }],
    usageAttribution: { subjectKeys: ['acme-1', 'acme-2'] },
  })
  const app = { id: owner.appId }
  expect(invoice?.workflow).toMatchObject({
    apps: { tax: app, invoicing: app, payment: app },
    sourceBillingProfileId: owner.profileId,
    workflow: { payment: { collectionMethod: 'charge_automatically' }, invoicing: { dueAfter: 'P30D' } },
  })
  expect(invoice).toMatchObject({
    number: `INV-${numbers}`,
    externalIds: { invoicing: `in_${numbers}` },
    payment: { terms: { type: 'instant' } },
    amountPaid: '43.20',
  })
})

test('the apps of the workflow are shown whole where they are asked for', async () => {
  const id = await insertInvoiceRow(api.db, owner)
  const invoice = async (expand: string) =>
    (await api.app.inject({ url: `/api/v1/billing/invoices/${id}?expand=${expand}` })).json()
  expect((await invoice('workflow.apps')).workflow.apps.invoicing).toMatchObject({
    id: owner.appId,
    type: 'stripe',
    stripeAccountId: 'acct_1',
  })
  expect((await invoice('lines')).workflow.apps.invoicing).toEqual({ id: owner.appId })
})

test('a tax that is in the price is shown as included', async () => {
  const id = await insertInvoiceRow(api.db, owner, { status: 'paid', taxMinor: '319' })
  const inclusive = JSON.stringify({ behavior: 'inclusive' })
  await insertLineRow(api.db, id, { taxMinor: '319', taxConfig: inclusive, detailDocuments: [detail(2000)] })
  const invoice = await client.billing.invoices.get(id)
  expect(invoice?.totals).toMatchObject({
    taxesInclusiveTotal: '3.19',
    taxesExclusiveTotal: '0.00',
    total: '20.00',
  })
  expect(invoice?.lines?.[0]?.totals).toMatchObject({ taxesInclusiveTotal: '3.19', total: '20.00' })
})

test('a draft has a draft number, and says what can be done about it', async () => {
  const id = await insertInvoiceRow(api.db, owner, { substatus: 'waiting_approval' })
  const invoice = await client.billing.invoices.get(id)
  expect(invoice?.number).toMatch(/^DRAFT-/)
  expect(invoice?.statusDetails).toEqual({
    immutable: false,
    failed: false,
    extendedStatus: 'draft.waiting_approval',
    availableActions: { approve: { resultingState: 'issued' }, void: { resultingState: 'voided' } },
  })
  expect(invoice?.period).toBeUndefined()
})

test('an invoice that is stuck says why', async () => {
  const stuck = {
    status: 'issuing',
    substatus: 'failed',
    statusCode: 'stripe_totals_differ',
    statusReason: 'ours 20.00, theirs 19.00',
  }
  const invoice = await client.billing.invoices.get(await insertInvoiceRow(api.db, owner, stuck))
  expect(invoice?.statusDetails).toMatchObject({
    failed: true,
    immutable: true,
    extendedStatus: 'issuing.failed',
  })
  expect(invoice?.validationIssues).toMatchObject([
    { severity: 'critical', code: 'stripe_totals_differ', message: 'ours 20.00, theirs 19.00' },
  ])
})

test('an invoice that is e-mailed is due by a date', async () => {
  const dueAt = new Date('2025-03-31T00:00:00Z')
  const id = await insertInvoiceRow(api.db, owner, {
    status: 'issued',
    dueAt,
    workflowSnapshot: JSON.stringify(sentWorkflow),
  })
  const invoice = await client.billing.invoices.get(id)
  expect(invoice?.payment?.terms).toEqual({
    type: 'due_date',
    dueAt: [{ dueAt, amount: '20.00', percent: 100, currency: 'USD' }],
  })
})

test('a balance that was carried explains itself', async () => {
  const id = await insertInvoiceRow(api.db, owner)
  const none = { phaseKey: null, rateCardKey: null, kind: 'carried_balance' as const }
  await insertLineRow(api.db, id, {
    ...none,
    name: 'Balance',
    description: 'of February',
    amountMinor: '-150',
    totalMinor: '-150',
  })
  const [line] = (await client.billing.invoices.get(id))?.lines ?? []
  expect(line).toMatchObject({
    managedBy: 'system',
    totals: { amount: '-1.50' },
    children: [{ name: 'Balance', totals: { total: '-1.50' } }],
  })
})

test('invoices are filtered, ordered and paged', async () => {
  const customerId = await insertCustomer(api.db, { key: 'lister' })
  const subscriptionId = await insertSubscriptionRow(api.db, customerId, [basePhase])
  const mine = { ...owner, customerId, subscriptionId }
  const at = (day: number) => new Date(Date.UTC(2025, 3, day))
  const first = await insertInvoiceRow(api.db, mine, {
    status: 'paid',
    number: 'LISTED-000001',
    createdAt: at(1),
    issuedAt: at(5),
    periodFrom: at(1),
  })
  const second = await insertInvoiceRow(api.db, mine, {
    status: 'issued',
    substatus: 'payment_failed',
    createdAt: at(2),
    issuedAt: at(4),
    periodFrom: at(2),
  })
  const third = await insertInvoiceRow(api.db, mine, { createdAt: at(3), periodFrom: at(3) })
  await insertLineRow(api.db, first, { detailDocuments: [detail(2000)] })
  const ids = async (query: Parameters<typeof client.billing.invoices.list>[0]) => {
    const page = await client.billing.invoices.list({ customers: [customerId], ...query })
    return page?.items.map(({ id }) => id)
  }
  expect(await ids({})).toEqual([first, second, third])
  expect(await ids({ statuses: ['paid', 'draft'], order: 'DESC' })).toEqual([third, first])
  expect(await ids({ extendedStatuses: ['issued.payment_failed', 'draft'] })).toEqual([second, third])
  expect(await ids({ orderBy: 'issuedAt' })).toEqual([second, first, third])
  expect(await ids({ createdAfter: at(2), createdBefore: at(2) })).toEqual([second])
  expect(await ids({ issuedAfter: at(5) })).toEqual([first])
  expect(await ids({ periodStartBefore: at(1) })).toEqual([first])
  // All of one customer: in the order of their ids, which within a millisecond is chance.
  const last = [first, second, third].sort().slice(2)
  expect(await ids({ orderBy: 'customer.name', page: 2, pageSize: 2 })).toEqual(last)
  const lines = async (expand: 'lines'[]) =>
    (await client.billing.invoices.list({ customers: [customerId], expand }))?.items[0]?.lines
  expect(await lines([])).toBeUndefined()
  expect(await lines(['lines'])).toHaveLength(1)
  const numbered = await api.app.inject(
    '/api/v1/billing/invoices?numbers=LISTED-000001&numbers=LISTED-000002',
  )
  expect(numbered.json()).toMatchObject({ totalCount: 1, items: [{ id: first, number: 'LISTED-000001' }] })
  const own = await api.app.inject({
    url: `/api/v1/subscriptions/${subscriptionId}/invoices?pageSize=1&order=DESC`,
  })
  expect(own.json()).toMatchObject({ totalCount: 3, items: [{ id: third }] })
})

test('an invoice that does not exist is not found', async () => {
  await expect(client.billing.invoices.get('01HZZZZZZZZZZZZZZZZZZZZZZZ')).rejects.toMatchObject({
    status: 404,
  })
})
