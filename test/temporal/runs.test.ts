import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { defineQuery } from '@temporalio/workflow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nextBillingTimeAttribute } from '../../src/workflows/search-attributes.ts'
import { waitFor } from '../support/scenario.ts'
import { HOUR, startSleepers } from './sleepers.ts'
import type { Events, Plan, Sleepers } from './sleepers.ts'

let sleepers: Sleepers
beforeAll(async () => {
  sleepers = await startSleepers()
})
afterAll(async () => {
  await sleepers.stop()
})

const SOON = 800
/** The fourth step is the last of a run that has lasted for two seconds. */
const endingSoon = (): Partial<Plan> => ({ dueMs: Date.now() + SOON, gapsMs: [SOON, SOON] })

const metadata = defineQuery<{ currentDetails?: string }>('__temporal_workflow_metadata')
const handleOf = (id: string) => sleepers.client.workflow.getHandle(`subscription/${id}`)
const runBefore = (events: Events): string =>
  events[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? ''

async function untilNextRun(id: string): Promise<Events> {
  return await waitFor(
    async () => await sleepers.atRest(id),
    (events) => runBefore(events) !== '',
  )
}

test('a subscription goes on as a new run after a few steps, which sleeps on and says what for', async () => {
  const { id, plan } = await sleepers.begin(endingSoon())
  const events = await untilNextRun(id)
  expect(plan.asked).toHaveLength(4)
  expect(events.filter((event) => event.timerStartedEventAttributes)).toHaveLength(1)
  const before = await sleepers.client.workflow
    .getHandle(`subscription/${id}`, runBefore(events))
    .fetchHistory()
  // Ended by the task of its last step, no timer later.
  expect(before.events?.filter((event) => event.timerFiredEventAttributes)).toHaveLength(3)
  const described = await handleOf(id).describe()
  expect(described.typedSearchAttributes.get(nextBillingTimeAttribute)).toEqual(new Date(plan.dueMs ?? 0))
  expect(await handleOf(id).query(metadata)).toMatchObject({ currentDetails: 'waits for its boundary' })
  await sleepers.end(id)
})

test('a subscription that has periods to catch up with goes on in the same run', async () => {
  const { id, plan } = await sleepers.begin({ dueMs: Date.now(), gapsMs: [-1, -1, -1, -1, -1] })
  await untilAsked(plan, 6)
  expect(runBefore(await sleepers.atRest(id))).toBe('')
  await sleepers.end(id)
})

interface Held {
  readonly plan: Partial<Plan>
  readonly release: () => void
}

/** One whose fourth step is held back until it is released. */
function heldAtLast(): Held {
  const released = new EventEmitter()
  let steps = 0
  const gate = async (): Promise<void> => {
    steps += 1
    if (steps === 4) await once(released, 'now')
  }
  return { plan: { ...endingSoon(), gate }, release: () => void released.emit('now') }
}

const untilAsked = async ({ asked }: Plan, count: number): Promise<unknown> =>
  await waitFor(
    async () => await Promise.resolve(asked.length),
    (length) => length >= count,
  )

type Poll = Parameters<Sleepers['client']['workflowService']['pollWorkflowExecutionUpdate']>[0]
/** UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED: the enumeration is in a package that is no dependency of ours. */
const admitted = { lifecycleStage: 1 } as unknown as NonNullable<Poll['waitPolicy']>

async function untilAdmitted(id: string, updateId: string): Promise<void> {
  await waitFor(
    async () =>
      await sleepers.client.workflowService
        .pollWorkflowExecutionUpdate({
          namespace: 'default',
          updateRef: { workflowExecution: { workflowId: `subscription/${id}` }, updateId },
          waitPolicy: admitted,
        })
        .then(
          () => true,
          () => false,
        ),
    Boolean,
  )
}

test('a command that comes amid the last step of a run is carried out, and the subscription sleeps on', async () => {
  const held = heldAtLast()
  const { id, plan } = await sleepers.begin(held.plan)
  await untilAsked(plan, 4)
  const command = { kind: 'release', requestId: randomUUID() } as const
  const answered = sleepers.temporal.updateSubscription(id, command)
  await untilAdmitted(id, command.requestId)
  held.release()
  await answered
  await sleepers.atRest(id)
  expect(plan.asked.filter((asked) => asked.command?.requestId === command.requestId)).toHaveLength(1)
  expect(plan.dueMs).toBeGreaterThan(Date.now() + HOUR / 2)
  await sleepers.end(id)
})

test('a poke that comes amid the last step of a run is heeded', async () => {
  const held = heldAtLast()
  const { id, plan } = await sleepers.begin(held.plan)
  await untilAsked(plan, 4)
  await handleOf(id).signal('poke')
  held.release()
  const [started] = await untilNextRun(id)
  const [input] = started?.workflowExecutionStartedEventAttributes?.input?.payloads ?? []
  expect(JSON.parse(Buffer.from(input?.data ?? []).toString())).toMatchObject({ nextDueMs: 0 })
  await sleepers.end(id)
})
