import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bindInvoiceNumber } from '../../src/db/stores/invoice-numbers.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { mainPhase, tokenUsage, twoTiers, unitPrice } from '../support/plans.ts'
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

const start = '2026-01-01T00:00:00Z'
let installation: Installation
let scenario: Scenario

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation, { frozenTime: start })
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

interface HasId {
  readonly id: string
}
interface Invoice {
  readonly id: string
  readonly status: string
  readonly number: string
  readonly customer: { readonly name: string }
  readonly supplier: { readonly name: string }
  readonly statusDetails: { readonly extendedStatus: string }
  readonly totals: { readonly total: string }
  readonly externalIds?: { readonly invoicing: string }
  readonly lines: readonly { name: string; kind: string; description: string; totals: { total: string } }[]
}

const subscribe = async (customerId: string, planKey: string): Promise<HasId> =>
  await installation.call('POST', '/api/v1/subscriptions', { customerId, plan: { key: planKey } })

const invoicesOf = async (customerId: string): Promise<readonly Invoice[]> =>
  (
    await installation.call<{ items: Invoice[] }>(
      'GET',
      `/api/v1/billing/invoices?customers=${customerId}&order=ASC&expand=lines`,
    )
  ).items

let eventCount = 0
const use = async (subject: string, time: string, tokens: number): Promise<void> =>
  await installation.call('POST', '/api/v1/events', {
    specversion: '1.0',
    id: `${eventCount++}`,
    source: 'numbers',
    type: 'request',
    subject,
    time,
    data: { tokens, kind: 'context' },
  })

/** A plan of one usage price. */
async function usagePlan(key: string, price: object): Promise<string> {
  const phases = [mainPhase(tokenUsage(price))]
  const plan = { key, name: key, currency: 'USD', billingCadence: 'P1M', phases }
  const { id } = await installation.call<HasId>('POST', '/api/v1/plans', plan)
  await installation.call('POST', `/api/v1/plans/${id}/publish`)
  return key
}

/** Every number that was given to an invoice, per prefix, in order. */
async function numbers(prefix = 'INV-0'): Promise<readonly number[]> {
  const rows = await installation.database.db
    .selectFrom('invoices')
    .select('number')
    .where('number', 'like', `${prefix}%`)
    .orderBy('number')
    .execute()
  return rows.map(({ number }) => Number(number?.split('-').at(-1)))
}

const oneTo = (n: number): readonly number[] => Array.from({ length: n }, (_, index) => index + 1)

async function control(path: string, method: string, body?: object): Promise<void> {
  const response = await fetch(`${installation.sandboxUrl}/_sandbox${path}`, {
    method,
    ...(body && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`)
}

test('rule 22: invoices finalized at the same instant are numbered without a gap', async () => {
  const own = await onOwnClock(installation, scenario)
  const keys = ['one', 'two', 'three', 'four', 'five']
  const customers = await Promise.all(keys.map(async (key) => await addCustomer(installation, own, { key })))
  await Promise.all(customers.map(async ({ id }) => await subscribe(id, 'tokens_monthly')))
  await advanceTo(installation, own.clockId, '2026-02-01T00:00:00Z')
  expect(await numbers()).toEqual(oneTo(10))
})

test('rule 22: a number is bound once, whoever asks and how often', async () => {
  const { db } = installation.database
  const paid = await db.selectFrom('invoices').selectAll().where('number', 'is not', null).execute()
  const copies = paid.slice(0, 4).map((row) => ({ ...row, id: ulid(), number: null, stripeInvoiceId: null }))
  const json = ({
    customerSnapshot,
    supplierSnapshot,
    workflowSnapshot,
    dunningSnapshot,
  }: (typeof copies)[number]) => ({
    customerSnapshot: JSON.stringify(customerSnapshot),
    supplierSnapshot: JSON.stringify(supplierSnapshot),
    workflowSnapshot: JSON.stringify(workflowSnapshot),
    dunningSnapshot: JSON.stringify(dunningSnapshot),
  })
  await db
    .insertInto('invoices')
    .values(copies.map((row) => ({ ...row, ...json(row) })))
    .execute()
  const supplier = { key: 'other', prefix: 'OTHER' }
  const ids = copies.flatMap(({ id }) => [id, id, id])
  const bound = await Promise.all(
    ids.map(async (id) => {
      const version = Number(copies.find((copy) => copy.id === id)?.version)
      return await bindInvoiceNumber(db, { id, version }, { supplier, stripeInvoiceId: `in_${id}` })
    }),
  )
  // Of those that bind at one time one does, and spends one.
  const spent = bound.flatMap((row) => row?.number ?? [])
  expect(spent.toSorted()).toEqual(['OTHER-000001', 'OTHER-000002', 'OTHER-000003', 'OTHER-000004'])
  await db.deleteFrom('invoices').where('id', 'in', ids).execute()
})

test('rule 22: a failed finalization keeps its number for the retry, and others go on after it', async () => {
  const own = await onOwnClock(installation, scenario)
  const [stuck, other] = [
    await addCustomer(installation, own, { key: 'stuck' }),
    await addCustomer(installation, await onOwnClock(installation, scenario), { key: 'other' }),
  ]
  const before = (await numbers()).length
  await control('/faults', 'POST', { kind: 'unavailable', method: 'POST', path: '/finalize$', times: 0 })
  await subscribe(stuck.id, 'tokens_monthly')
  const failing = await waitFor(
    async () => (await invoicesOf(stuck.id))[0],
    (invoice) => invoice?.number.startsWith('INV-') === true && invoice.status !== 'paid',
  )
  await control('/faults', 'DELETE')
  await subscribe(other.id, 'tokens_monthly')
  const [settled] = await waitFor(
    async () => await invoicesOf(stuck.id),
    ([invoice]) => invoice?.status === 'paid',
  )
  await waitFor(
    async () => await invoicesOf(other.id),
    ([invoice]) => invoice?.status === 'paid',
  )
  expect(settled?.number).toBe(failing?.number)
  expect(await numbers()).toEqual(oneTo(before + 2))
})

test('rules 21 and 22: an invoice of nothing is settled at once and spends no number', async () => {
  const own = await onOwnClock(installation, scenario)
  const before = await numbers()
  const customer = await addCustomer(installation, own, { key: 'idle' })
  await subscribe(customer.id, await usagePlan('idle_plan', unitPrice('0.01')))
  await advanceTo(installation, own.clockId, '2026-02-01T00:00:00Z')
  const [only, ...more] = await invoicesOf(customer.id)
  expect(more).toEqual([])
  expect(only).toMatchObject({ status: 'paid', totals: { total: '0.00' } })
  expect(only?.externalIds).toBeUndefined()
  expect(await numbers()).toEqual(before)
})

const ledgerOf = async (customerId: string) =>
  (
    await installation.database.db
      .selectFrom('ledgerEntries')
      .select(['kind', 'amountMinor'])
      .where('customerId', '=', customerId)
      .orderBy('id')
      .execute()
  ).map(({ kind, amountMinor }) => `${kind} ${amountMinor}`)

const stripeTotal = async (invoice: Invoice | undefined): Promise<number> =>
  (await stripeGet<{ total: number }>(installation.sandboxUrl, `invoices/${invoice?.externalIds?.invoicing}`))
    .total

test('rule 21: a total under the minimum is carried to the next invoice, and what is left at the end is the remainder', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'small' })
  const { id } = await subscribe(customer.id, await usagePlan('small_plan', unitPrice('0.01')))
  await use('small', '2026-01-10T00:00:00Z', 30)
  await use('small', '2026-02-10T00:00:00Z', 100)
  await use('small', '2026-03-10T00:00:00Z', 20)
  await advanceTo(installation, own.clockId, '2026-02-15T00:00:00Z')
  const [january] = await invoicesOf(customer.id)
  expect(january).toMatchObject({ status: 'paid', totals: { total: '0.00' } })
  expect(january?.externalIds).toBeUndefined()
  expect(january?.lines.map(({ name, totals }) => `${name} ${totals.total}`)).toEqual([
    'Tokens 0.30',
    'Carried forward -0.30',
  ])
  await installation.call('POST', `/api/v1/subscriptions/${id}/cancel`, { timing: '2026-03-20T00:00:00Z' })
  await advanceTo(installation, own.clockId, '2026-03-20T00:00:00Z')
  const [, february, last] = await invoicesOf(customer.id)
  expect(february?.lines.map(({ name, totals }) => `${name} ${totals.total}`)).toEqual([
    'Tokens 1.00',
    'Carried balance 0.30',
  ])
  expect(await stripeTotal(february)).toBe(130)
  expect(last?.externalIds).toBeUndefined()
  expect(last?.lines.at(-1)?.description).toMatch(/Remainder after the last invoice/)
  expect(await ledgerOf(customer.id)).toEqual(['carried_out 30', 'carried_in -30', 'remainder 20'])
})

test('rule 21: a credit of late usage is never sent, and comes off the next invoice', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'credited' })
  await subscribe(customer.id, await usagePlan('volume_plan', twoTiers('volume', ['0.01', '0.005'])))
  await use('credited', '2026-01-10T00:00:00Z', 1000)
  await advanceTo(installation, own.clockId, '2026-02-02T00:00:00Z')
  // One unit more and all of January is cheaper: 1,001 × $0.005 = $5.01 where $10.00 were billed.
  await use('credited', '2026-01-31T00:00:00Z', 1)
  await use('credited', '2026-03-10T00:00:00Z', 600)
  await advanceTo(installation, own.clockId, '2026-04-01T00:00:00Z')
  const [january, february, march] = await invoicesOf(customer.id)
  expect(january?.totals.total).toBe('10.00')
  expect(february).toMatchObject({ status: 'paid', totals: { total: '0.00' } })
  expect(february?.externalIds).toBeUndefined()
  expect(february?.lines.map(({ totals }) => totals.total)).toEqual(['0.00', '-4.99', '4.99'])
  expect(march?.totals.total).toBe('1.01')
  expect(await stripeTotal(march)).toBe(101)
  expect(await ledgerOf(customer.id)).toEqual(['carried_out -499', 'carried_in 499'])
})

test('rules 6 and 28: a cancelation at the period’s end is an instant when accepted, and its usage is billed in a final invoice', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'leaver' })
  const { id } = await subscribe(customer.id, await usagePlan('leaver_plan', unitPrice('0.01')))
  await advanceTo(installation, own.clockId, '2026-01-10T00:00:00Z')
  // Left out, the timing is the default, and resolved now.
  await installation.call('POST', `/api/v1/subscriptions/${id}/cancel`, { timing: 'next_billing_cycle' })
  const { db } = installation.database
  const commands = await db
    .selectFrom('subscriptionCommands')
    .select(['kind', 'effectiveAt'])
    .where('subscriptionId', '=', id)
    .execute()
  expect(commands).toEqual([{ kind: 'cancel', effectiveAt: new Date('2026-02-01T00:00:00Z') }])
  await use('leaver', '2026-01-31T23:59:59.999Z', 500)
  await use('leaver', '2026-02-01T00:00:00Z', 7000)
  await advanceTo(installation, own.clockId, '2026-03-05T00:00:00Z')
  const invoices = await invoicesOf(customer.id)
  expect(invoices.map(({ status, totals }) => `${status} ${totals.total}`)).toEqual(['paid 5.00'])
  const ended = await installation.call<{ status: string; activeTo: string }>(
    'GET',
    `/api/v1/subscriptions/${id}`,
  )
  expect(ended).toMatchObject({ status: 'inactive', activeTo: '2026-02-01T00:00:00.000Z' })
})

test('rule 33: a subscription with too many invoices in a day is parked, bills nothing and says why', async () => {
  const { db } = installation.database
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'absurd' })
  const { id } = await subscribe(customer.id, await usagePlan('absurd_plan', unitPrice('1')))
  await use('absurd', '2026-01-05T00:00:00Z', 100)
  const dayBefore = Date.parse('2026-01-31T12:00:00Z')
  await db
    .insertInto('closings')
    .values(
      oneTo(25).map((n) => ({
        subscriptionId: id,
        periodAt: new Date(dayBefore + n * 1000),
        reason: 'period',
        periodFrom: new Date(dayBefore),
        usageCutoff: '1:1:',
        asOf: new Date(dayBefore),
      })),
    )
    .execute()
  await advanceTo(installation, own.clockId, '2026-02-03T00:00:00Z')
  expect(await invoicesOf(customer.id)).toEqual([])
  const shown = await installation.call<object>('GET', `/api/v1/subscriptions/${id}`)
  expect(shown).toMatchObject({
    lifecycle: 'parked',
    lifecycleReason: expect.stringContaining('25 invoices within a day'),
  })
  const timeline = await installation.call<readonly { kind: string; detail: string }[]>(
    'GET',
    `/api/v1/subscriptions/${id}/timeline`,
  )
  expect(timeline).toContainEqual(
    expect.objectContaining({ kind: 'parked', detail: expect.stringContaining('25 invoices') }),
  )
})
