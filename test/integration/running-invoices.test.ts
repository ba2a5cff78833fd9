import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { baseFee, mainPhase, tokenPlan, tokenUsage, twoTiers, unitPrice } from '../support/plans.ts'
import { amountsOf, runningBills } from '../support/running-bills.ts'
import type { Bill } from '../support/running-bills.ts'
import { addTokenPlan, advanceTo, NEW_YEAR, startScenario } from '../support/scenario.ts'

/** Bills made during the period, and how Stripe's draft follows them. */
let installation: Installation
let at: ReturnType<typeof runningBills>

beforeAll(async () => {
  installation = await startInstallation()
  const scenario = await startScenario(installation)
  await addTokenPlan(installation)
  at = runningBills(installation, scenario)
})
afterAll(async () => {
  await installation.close()
})

test('three runs in a period grow one draft at Stripe, and the closing collects exactly its last lines', async () => {
  const billed = await at.subscribed('three-runs')
  const { clockId } = billed
  const runs: (readonly [string, number, readonly number[]])[] = [
    ['2026-01-10T00:00:00Z', 400, [400, 2000]],
    ['2026-01-20T00:00:00Z', 600, [1000, 2000]],
    ['2026-01-30T00:00:00Z', 200, [1100, 2000]],
  ]
  const lineIds = new Set<string>()
  for (const [index, [time, tokens, amounts]] of runs.entries()) {
    await at.usage('three-runs', time, tokens)
    await advanceTo(installation, clockId, time.replace('T00', 'T01'))
    const bill = await at.invoiceNow(billed)
    expect(bill).toMatchObject({ status: 'draft', runs: index + 1 })
    expect(bill.statusDetails).toMatchObject({ extendedStatus: 'draft.accruing', availableActions: {} })
    for (const line of bill.lines) lineIds.add(line.id)
    const [first, draft, ...more] = await at.draftsOf(billed)
    expect([first?.status, draft?.status, more]).toEqual(['paid', 'draft', []])
    expect(amountsOf(draft)).toEqual(amounts)
    expect(bill.externalIds?.invoicing).toBe(draft?.id)
  }
  // A line that bills the same slice is the same line.
  expect(lineIds.size).toBe(2)
  await at.usage('three-runs', '2026-01-31T12:00:00Z', 100)
  await advanceTo(installation, clockId, '2026-02-01T00:00:01Z')
  const [first, january, ...more] = await at.billsOf(billed)
  expect(more).toEqual([])
  expect([first?.status, january?.status]).toEqual(['paid', 'paid'])
  expect(january).toMatchObject({ runs: 4, totals: { total: '31.50' }, amountPaid: '31.50' })
  const [, paid, ...others] = await at.draftsOf(billed)
  expect([paid?.status, amountsOf(paid), others]).toEqual(['paid', [1150, 2000], []])
  expect(await at.collected(billed)).toBe(2000 + 3150)
})

/** Short periods: a run a day is few of them. */
const weekly = {
  customPlan: {
    name: 'Weekly',
    currency: 'USD',
    billingCadence: 'P1W',
    phases: [mainPhase(baseFee('20', 'P1W'), tokenUsage(unitPrice('0.01'), 'P1W'))],
  },
}

test('a profile that synchronizes continuously has a draft from the period’s start, which grows every day', async () => {
  const billed = await at.subscribed('mirrored', { stripe: { synchronize: 'continuously' }, plan: weekly })
  expect((await at.draftsOf(billed)).map(({ status, total }) => [status, total])).toEqual([
    ['paid', 2000],
    ['draft', 2000],
  ])
  await at.usage('mirrored', '2026-01-03T06:00:00Z', 500)
  await advanceTo(installation, billed.clockId, '2026-01-04T12:00:00Z')
  expect(amountsOf((await at.draftsOf(billed))[1])).toEqual([500, 2000])
  const [, growing] = await at.billsOf(billed)
  expect(growing).toMatchObject({ runs: 4, statusDetails: { extendedStatus: 'draft.accruing' } })
  await at.usage('mirrored', '2026-01-07T23:30:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-01-08T00:00:01Z')
  expect((await at.draftsOf(billed)).map(({ status, total }) => [status, total])).toEqual([
    ['paid', 2000],
    ['paid', 2600],
    ['draft', 2000],
  ])
})

test('where only approved bills are sent, nothing reaches Stripe before approval, and a new run waits again', async () => {
  const { call } = installation
  const billed = await at.subscribed('approved', { stripe: { send: 'approved_bills' } })
  const [first] = await at.billsOf(billed)
  expect(first?.statusDetails.extendedStatus).toBe('draft.waiting_approval')
  expect(await at.draftsOf(billed)).toEqual([])
  const approve = async (id: string) => await call<Bill>('POST', `/api/v1/billing/invoices/${id}/approve`)
  expect((await approve(first?.id ?? '')).status).toBe('paid')

  await at.usage('approved', '2026-01-05T00:00:00Z', 300)
  await advanceTo(installation, billed.clockId, '2026-01-06T00:00:00Z')
  const bill = await at.invoiceNow(billed)
  expect(bill.statusDetails.availableActions).toEqual({ approve: { resultingState: 'draft' } })
  expect(await at.draftsOf(billed)).toHaveLength(1)
  const sent = await approve(bill.id)
  expect(sent).toMatchObject({ id: bill.id, statusDetails: { availableActions: {} } })
  expect(amountsOf((await at.draftsOf(billed))[1])).toEqual([300, 2000])
  await expect(approve(bill.id)).rejects.toThrow('action_not_available')

  await at.usage('approved', '2026-01-07T00:00:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-01-08T00:00:00Z')
  const again = await at.invoiceNow(billed)
  expect(again.totals.total).toBe('24.00')
  expect(amountsOf((await at.draftsOf(billed))[1])).toEqual([300, 2000])
  await at.invoiceNow(billed, { approve: true })
  expect(amountsOf((await at.draftsOf(billed))[1])).toEqual([400, 2000])

  // The closing waits for approval, with its last lines not sent yet.
  await at.usage('approved', '2026-01-31T00:00:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  const [, january] = await at.billsOf(billed)
  expect(january).toMatchObject({
    id: bill.id,
    totals: { total: '25.00' },
    statusDetails: { extendedStatus: 'draft.waiting_approval' },
  })
  expect(amountsOf((await at.draftsOf(billed))[1])).toEqual([400, 2000])
  expect((await approve(bill.id)).status).toBe('paid')
  expect(await at.collected(billed)).toBe(2000 + 2500)
})

test('late usage, tiers that shrink and a balance that is carried are in it, and the closing books them once', async () => {
  const plan = {
    customPlan: {
      name: 'Volume',
      currency: 'USD',
      billingCadence: 'P1M',
      phases: [mainPhase(tokenUsage(twoTiers('volume', ['0.01', '0.002'])))],
    },
  }
  const billed = await at.subscribed('shrinking', { plan })
  // Under what Stripe charges: there is no draft yet, and the closing carries it.
  await at.usage('shrinking', '2026-01-10T00:00:00Z', 30)
  await advanceTo(installation, billed.clockId, '2026-01-11T00:00:00Z')
  expect(await at.invoiceNow(billed)).toMatchObject({ status: 'draft', totals: { total: '0.00' } })
  expect(await at.draftsOf(billed)).toEqual([])
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  const carried = (await at.billsOf(billed)).at(-1)
  expect(carried?.statusDetails.extendedStatus).toBe('paid.carried_forward')

  // 0.30 carried, 10 more for January, 1000 for February: 0.30 + 0.10 + 10.00.
  await at.usage('shrinking', '2026-01-20T00:00:00Z', 10)
  await at.usage('shrinking', '2026-02-03T00:00:00Z', 1000)
  await advanceTo(installation, billed.clockId, '2026-02-04T00:00:00Z')
  expect((await at.invoiceNow(billed)).totals.total).toBe('10.40')
  expect(amountsOf((await at.draftsOf(billed))[0])).toEqual([10, 30, 1000])
  // The next tier makes all units cheaper: 1500 × 0.002.
  await at.usage('shrinking', '2026-02-05T00:00:00Z', 500)
  await advanceTo(installation, billed.clockId, '2026-02-06T00:00:00Z')
  expect((await at.invoiceNow(billed)).totals.total).toBe('3.40')
  expect(amountsOf((await at.draftsOf(billed))[0])).toEqual([10, 30, 300])
  await advanceTo(installation, billed.clockId, '2026-03-01T00:00:01Z')
  const february = (await at.billsOf(billed)).at(-1)
  expect(february).toMatchObject({ status: 'paid', amountPaid: '3.40' })
  expect(await at.collected(billed)).toBe(340)
  const ledger = await installation.database.db
    .selectFrom('ledgerEntries')
    .select(['kind', 'amountMinor'])
    .where('subscriptionId', '=', billed.subscriptionId)
    .orderBy('createdAt')
    .execute()
  expect(ledger).toEqual([
    { kind: 'carried_out', amountMinor: '30' },
    { kind: 'carried_in', amountMinor: '-30' },
  ])
})

test('a cancelation in the middle makes the running invoice the final one, without the fee of the next period', async () => {
  const { call } = installation
  const billed = await at.subscribed('cancelled')
  await at.usage('cancelled', '2026-01-10T00:00:00Z', 400)
  await advanceTo(installation, billed.clockId, '2026-01-15T00:00:00Z')
  const bill = await at.invoiceNow(billed)
  expect(amountsOf((await at.draftsOf(billed))[1])).toEqual([400, 2000])
  await call('POST', `/api/v1/subscriptions/${billed.subscriptionId}/cancel`, { timing: 'immediate' })
  const [, final, ...more] = await at.billsOf(billed)
  expect(final).toMatchObject({ id: bill.id, status: 'paid', totals: { total: '4.00' } })
  expect(more).toEqual([])
  expect((await at.draftsOf(billed)).map(({ status, total }) => [status, total])).toEqual([
    ['paid', 2000],
    ['paid', 400],
  ])
  await expect(at.invoiceNow(billed)).rejects.toThrow('action_not_available')
})

test('a running invoice that no closing comes for leaves nothing behind', async () => {
  const { call } = installation
  const billed = await at.subscribed('left')
  const bill = await at.invoiceNow(billed)
  expect(await at.draftsOf(billed)).toHaveLength(2)
  // Billed through New Year, and cancelled as of then: no period follows.
  await installation.database.db
    .updateTable('testClocks')
    .set({ frozenTime: new Date(NEW_YEAR) })
    .where('id', '=', billed.clockId)
    .execute()
  await call('POST', `/api/v1/subscriptions/${billed.subscriptionId}/cancel`, { timing: NEW_YEAR })
  const [, left] = await at.billsOf(billed)
  expect(left).toMatchObject({ id: bill.id, status: 'voided' })
  expect((await at.draftsOf(billed)).map(({ status }) => status)).toEqual(['paid'])
})

test('a closing that bills nothing takes the running invoice back in its own step', async () => {
  const { call } = installation
  const flat = { ...tokenPlan, phases: [mainPhase(baseFee())] }
  const billed = await at.subscribed('nothing-left', { plan: { customPlan: flat } })
  const bill = await at.invoiceNow(billed)
  await advanceTo(installation, billed.clockId, '2026-01-15T00:00:00Z')
  // The month was billed in advance, and the next fee goes with the subscription: the closing has no line.
  await call('POST', `/api/v1/subscriptions/${billed.subscriptionId}/cancel`, { timing: 'immediate' })
  const [, left] = await at.billsOf(billed)
  expect(left).toMatchObject({ id: bill.id, status: 'voided' })
  expect((await at.draftsOf(billed)).map(({ status }) => status)).toEqual(['paid'])
  await advanceTo(installation, billed.clockId, '2026-01-16T00:00:00Z')
})

test('a period that is settled at zero or carried takes its draft back at Stripe', async () => {
  const billed = await at.subscribed('taken-back')
  await at.invoiceNow(billed)
  expect(await at.draftsOf(billed)).toHaveLength(2)
  const { call } = installation
  // The draft holds the next month's fee only, which a cancelation at the period's end takes away.
  await call('POST', `/api/v1/subscriptions/${billed.subscriptionId}/cancel`, {
    timing: 'next_billing_cycle',
  })
  await at.invoiceNow(billed)
  expect(amountsOf((await at.draftsOf(billed))[1])).toEqual([0])
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  const final = (await at.billsOf(billed)).at(-1)
  expect(final?.statusDetails.extendedStatus).toBe('paid.settled_zero')
  expect((await at.draftsOf(billed)).map(({ status }) => status)).toEqual(['paid'])
})

test('a subscription that is parked is not billed on demand', async () => {
  const billed = await at.subscribed('parked')
  await installation.database.db
    .updateTable('subscriptions')
    .set({ lifecycle: 'parked', lifecycleReason: 'a test' })
    .where('id', '=', billed.subscriptionId)
    .execute()
  await expect(at.invoiceNow(billed)).rejects.toThrow('release it first')
  expect(await at.billsOf(billed)).toHaveLength(1)
})

test('a cancelation for later cuts the fee on the draft, and taking it back restores it', async () => {
  const { call } = installation
  const billed = await at.subscribed('taken-back-cancel', { stripe: { synchronize: 'continuously' } })
  const path = `/api/v1/subscriptions/${billed.subscriptionId}`
  await call('POST', `${path}/cancel`, { timing: '2026-02-15T00:00:00Z' })
  // Half of February's 28 days.
  expect(amountsOf((await at.draftsOf(billed))[1])).toEqual([0, 1000])
  await call('POST', `${path}/unschedule-cancelation`)
  expect(amountsOf((await at.draftsOf(billed))[1])).toEqual([0, 2000])
  const { waitingFor } = await call<{ waitingFor: string }>('GET', path)
  expect(waitingFor).toMatch(/^the next bill at 2026-01-02/)
})
