import { afterAll, beforeAll, expect, test } from 'vitest'
import { nextStep } from '../../src/billing/next-due.ts'
import { loadSettings } from '../../src/billing/settings.ts'
import type { BillingSettings } from '../../src/billing/settings.ts'
import { getSubscription } from '../../src/db/stores/subscriptions.ts'
import type { SubscriptionRow } from '../../src/db/stores/subscriptions.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario } from '../support/scenario.ts'

const HOUR_MS = 3_600_000
const WINDOW_MS = 6 * HOUR_MS

let installation: Installation
let row: SubscriptionRow
let settings: BillingSettings

beforeAll(async () => {
  installation = await startInstallation()
  const scenario = await startScenario(installation)
  await addTokenPlan(installation)
  const customer = await addCustomer(installation, scenario, { key: 'spread' })
  const { id } = await installation.call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: 'tokens_monthly' },
  })
  const found = await getSubscription(installation.database.db, id)
  if (!found) throw new Error('the subscription is gone')
  row = { ...found, closedThrough: found.activeFrom }
  settings = await loadSettings(installation.database.db, customer.id)
})
afterAll(async () => await installation.close())

/** How long after its wait for late usage the next closing is. */
function spreadMs(subscription: SubscriptionRow, of: BillingSettings = settings): number {
  const unspread = nextStep(subscription, of, 0)
  const spread = nextStep(subscription, of, WINDOW_MS)
  return (spread?.dueMs ?? Number.NaN) - (unspread?.dueMs ?? Number.NaN)
}

test('what is due at one instant is spread over the window, each subscription always to the same place', () => {
  const ids = Array.from({ length: 1000 }, (_, index) => `subscription-${index}`)
  const places = ids.map((id) => spreadMs({ ...row, id }))
  expect(ids.map((id) => spreadMs({ ...row, id }))).toEqual(places)
  const perHour = Array.from({ length: 6 }, (_, hour) =>
    places.filter((place) => Math.floor(place / HOUR_MS) === hour),
  )
  expect(perHour.map(({ length }) => length > 100)).toEqual(Array(6).fill(true))
  expect(perHour.flat()).toHaveLength(1000)
})

test('who subscribes is billed at once, and who cancels at the end', () => {
  const activeTo = new Date(row.activeFrom.getTime() + HOUR_MS)
  expect(spreadMs({ ...row, closedThrough: null })).toBe(0)
  expect(spreadMs({ ...row, activeTo })).toBe(0)
})

test('a test clock is not kept waiting', () => {
  const customer = { ...settings.customer, testClockId: 'clock' }
  expect(spreadMs(row, { ...settings, customer })).toBe(0)
})
