import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { runningBills } from '../support/running-bills.ts'
import { addTokenPlan, advanceTo, startScenario } from '../support/scenario.ts'

/** A period whose usage comes to more than a line holds. */
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

interface Shown {
  readonly lifecycle: string
  readonly lifecycleReason?: string
  readonly waitingFor?: string
  readonly activeTo?: string
}

/** At half a cent 10^12 dollars, ten times what a line holds. */
const TOO_MANY = 200_000_000_000_000

test('rule 33: a subscription whose usage no line can hold is parked, answers commands, and is billed when it is mended', async () => {
  const { call } = installation
  const billed = await at.subscribed('too-much')
  await at.subscribed('as-usual')
  const path = `/api/v1/subscriptions/${billed.subscriptionId}`
  await at.usage('too-much', '2026-01-10T00:00:00Z', TOO_MANY)
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  const parked = await call<Shown>('GET', path)
  expect(parked).toMatchObject({ lifecycle: 'parked', waitingFor: 'an operator to release it' })
  expect(parked.lifecycleReason).toBe(
    'The line Tokens would be $1,000,000,000,005.00; a line holds at most $100,000,000,000.00',
  )

  await expect(call('GET', `${path}/upcoming-invoice`)).rejects.toThrow('amount_too_large')
  const { items } = await call<{ items: readonly object[] }>(
    'GET',
    '/api/v1/billing/invoices?statuses=gathering',
  )
  expect(items).toHaveLength(1)

  // Released before it is mended, it says so again.
  await call('POST', `${path}/release`)
  const { lifecycleReason } = parked
  expect(await call<Shown>('GET', path)).toMatchObject({ lifecycle: 'parked', lifecycleReason })

  await call('POST', `${path}/cancel`, { timing: '2026-03-01T00:00:00Z' })
  expect(await call<Shown>('GET', path)).toMatchObject({
    lifecycle: 'parked',
    activeTo: '2026-03-01T00:00:00.000Z',
  })

  await at.usage('too-much', '2026-01-10T00:00:01Z', 400 - TOO_MANY)
  await call('POST', `${path}/release`)
  const mended = await call<Shown>('GET', path)
  expect(mended.lifecycle).toBe('canceled')
  expect(mended.lifecycleReason).toBeUndefined()
  // The fee of the month that began while it was parked, and 400 tokens.
  expect((await at.billsOf(billed)).map(({ status, totals }) => [status, totals.total])).toEqual([
    ['paid', '20.00'],
    ['paid', '24.00'],
  ])
})
