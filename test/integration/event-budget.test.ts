import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  approve,
  billBoundary,
  confirmAtTheBank,
  exhaustDunning,
  firstInvoice,
  payByPage,
  recoverByDunning,
  sleeping,
  subscribe,
  waitOutDraftPeriod,
} from '../support/billing-paths.ts'
import type { Walker } from '../support/billing-paths.ts'
import { countHistory, readHistory, sinceFirstTimer } from '../support/history.ts'
import type { HistoryCounts } from '../support/history.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addTokenPlan, startScenario } from '../support/scenario.ts'

/**
 * What a period and a slow invoice cost at Temporal (DESIGN, "Cheap by design"), on real timers: no test clock's ticks
 * are in these counts. Upper bounds, since how a webhook falls between two steps may save or add a task.
 */
const HAPPY = { workflowTasks: 1, activities: 0 }
const PERIOD_EVENTS = 25
const INVOICE_EVENTS = 30

let walker: Walker<Installation>

beforeAll(async () => {
  const installation = await startInstallation()
  walker = { installation, scenario: await startScenario(installation) }
  await addTokenPlan(installation)
})
afterAll(async () => {
  await walker.installation.close()
})

test('the happy path from a boundary to paid costs one workflow task and no activity', async () => {
  const { client } = walker.installation
  const workflowId = await billBoundary(walker, 'happy')
  // From the timer that the boundary fired to the start of the next one: all that a period costs.
  const period = countHistory(sinceFirstTimer(await readHistory(client, workflowId)))
  expect(period.workflowTasks).toBeLessThanOrEqual(HAPPY.workflowTasks)
  expect(period.activities).toBeLessThanOrEqual(HAPPY.activities)
  expect(period.events).toBeLessThanOrEqual(PERIOD_EVENTS)
  // Neither of its invoices had to wait, so neither has a workflow.
  const rows = await walker.installation.database.db
    .selectFrom('invoices')
    .select(['id', 'status', 'hasWorkflow'])
    .where('subscriptionId', '=', workflowId.replace('subscription/', ''))
    .execute()
  expect(rows.map(({ status, hasWorkflow }) => [status, hasWorkflow])).toEqual([
    ['paid', false],
    ['paid', false],
  ])
})

test('a cancelation at the period’s end, and its withdrawal, cost a workflow task each; an earlier end an activity too', async () => {
  const { call, client } = walker.installation
  const { customerId, subscriptionId } = await subscribe(walker, { key: 'commanded' })
  await firstInvoice(walker, customerId, 'paid')
  const workflowId = `subscription/${subscriptionId}`
  await sleeping(walker, workflowId)
  const costOf = async (command: string, body: object): Promise<Partial<HistoryCounts>> => {
    const before = countHistory(await readHistory(client, workflowId))
    await call('POST', `/api/v1/subscriptions/${subscriptionId}/${command}`, body)
    const after = countHistory(await readHistory(client, workflowId))
    return {
      workflowTasks: after.workflowTasks - before.workflowTasks,
      activities: after.activities - before.activities,
      localActivities: after.localActivities - before.localActivities,
    }
  }
  const inTask = { workflowTasks: 1, activities: 0, localActivities: 1 }
  expect(await costOf('cancel', { timing: 'next_billing_cycle' })).toEqual(inTask)
  expect(await costOf('unschedule-cancelation', {})).toEqual(inTask)
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString()
  const atServer = { workflowTasks: 2, activities: 1, localActivities: 0 }
  expect(await costOf('cancel', { timing: tomorrow })).toEqual(atServer)
})

const slow: readonly (readonly [string, (walker: Walker, key: string) => Promise<string>])[] = [
  ['dunning that recovers at the third retry', recoverByDunning],
  ['dunning that fails three times and ends', exhaustDunning],
  ['a wait for approval', approve],
  ['a draft period', waitOutDraftPeriod],
  ['a payment that the bank wants confirmed', confirmAtTheBank],
  ['an e-mail, paid on Stripe’s page and settled by the webhook', payByPage],
]

test.each(slow)('%s costs at most thirty events, start to end', async (name, walk) => {
  const invoiceId = await walk(walker, name.replaceAll(/\W+/g, '_').slice(0, 30))
  const life = countHistory(await readHistory(walker.installation.client, `invoice/${invoiceId}`))
  expect(life.events).toBeLessThanOrEqual(INVOICE_EVENTS)
  expect(life.events).toBeGreaterThan(5)
})
