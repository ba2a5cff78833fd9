import { afterAll, beforeAll, expect, test } from 'vitest'
import { invoicesOf, subscribe } from '../support/billing-paths.ts'
import type { Walker } from '../support/billing-paths.ts'
import { holdRequest } from '../support/faults.ts'
import { readHistory } from '../support/history.ts'
import { startInstallation } from '../support/installation.ts'
import { addTokenPlan, advanceTo, onOwnClock, startScenario, waitFor } from '../support/scenario.ts'

const START = '2026-01-01T00:00:00Z'
const BEYOND = '2026-02-02T00:00:00Z'

let installation: Awaited<ReturnType<typeof startInstallation>>
let walker: Walker

beforeAll(async () => {
  installation = await startInstallation()
  walker = { installation, scenario: await startScenario(installation) }
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

/** A subscription on a test clock of its own, whose first invoice is paid. */
async function subscribed(key: string) {
  const own = await onOwnClock(installation, walker.scenario, START)
  const { customerId, subscriptionId } = await subscribe({ installation, scenario: own }, { key })
  const workflowId = `subscription/${subscriptionId}`
  const statuses = async (): Promise<readonly string[]> =>
    (await invoicesOf(walker, customerId)).map(({ status }) => status)
  await waitFor(statuses, ([first]) => first === 'paid')
  return {
    clockId: own.clockId,
    path: `/api/v1/subscriptions/${subscriptionId}`,
    workflowId,
    subscriptionId,
    statuses,
  }
}

async function until(workflowId: string, wanted: string): Promise<void> {
  await waitFor(
    async () => (await readHistory(installation.client, workflowId)).map(({ kind }) => kind),
    (kinds) => kinds.includes(wanted),
  )
}

test('a command that comes while a boundary is billed is taken at once, and carried out after it', async () => {
  const { clockId, path, workflowId, statuses } = await subscribed('commanded')
  const held = await holdRequest(installation.sandboxUrl, {
    kind: 'hold',
    method: 'POST',
    path: '/finalize$',
  })
  const advanced = advanceTo(installation, clockId, BEYOND)
  await held.arrived()
  const answer = installation.call<{ activeTo?: string }>('POST', `${path}/cancel`, {
    timing: 'next_billing_cycle',
  })
  // Taken by the task that the step, which goes on, has prolonged.
  await until(workflowId, 'workflowExecutionUpdateAccepted')
  await held.letGo()
  expect(await answer).toMatchObject({ activeTo: '2026-03-01T00:00:00.000Z' })
  await advanced
  expect(await statuses()).toEqual(['paid', 'paid'])
  const timeline = await installation.call<readonly { kind: string }[]>('GET', `${path}/timeline`)
  expect(timeline.filter(({ kind }) => kind === 'cancel')).toHaveLength(1)
})

test('rule 29: a step that takes long goes on as an activity beside its first try, and bills once', async () => {
  const { clockId, workflowId, subscriptionId, statuses } = await subscribed('slow')
  // Whoever would bill waits for the row.
  const { db } = installation.database
  const held = await db.startTransaction().execute()
  await held.selectFrom('subscriptions').select('id').where('id', '=', subscriptionId).forUpdate().execute()
  const advanced = advanceTo(installation, clockId, BEYOND)
  await until(workflowId, 'activityTaskScheduled')
  await held.commit().execute()
  await advanced
  expect(await statuses()).toEqual(['paid', 'paid'])
  const closings = await db
    .selectFrom('closings')
    .select('periodAt')
    .where('subscriptionId', '=', subscriptionId)
    .execute()
  expect(closings).toHaveLength(2)
})
