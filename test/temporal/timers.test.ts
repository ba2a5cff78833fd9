import { randomUUID } from 'node:crypto'
import { optionalTsToMs } from '@temporalio/common/lib/time.js'
import { Worker } from '@temporalio/worker'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readHistories } from '../replay/history-files.ts'
import { runs } from '../support/properties.ts'
import { waitFor } from '../support/scenario.ts'
import { workflowBundlePath } from '../support/temporal.ts'
import { HOUR, startSleepers } from './sleepers.ts'
import type { Events, Sleepers } from './sleepers.ts'

let sleepers: Sleepers
beforeAll(async () => {
  sleepers = await startSleepers()
})
afterAll(async () => {
  await sleepers.stop()
})

/** When each timer ends that neither fired nor was canceled. */
function pendingTimers(events: Events): readonly number[] {
  const ends = new Map<string, number>()
  for (const event of events) {
    const { timerStartedEventAttributes: started } = event
    const over = event.timerFiredEventAttributes ?? event.timerCanceledEventAttributes
    const ms = (optionalTsToMs(event.eventTime) ?? 0) + (optionalTsToMs(started?.startToFireTimeout) ?? 0)
    if (started) ends.set(started.timerId ?? '', ms)
    if (over) ends.delete(over.timerId ?? '')
  }
  return [...ends.values()]
}

const withId = <T extends object>(command: T) => ({ ...command, requestId: randomUUID() })
const release = () => withId({ kind: 'release' } as const)
/** Needs rows only: one that may leave the timer alone. */
const withdraw = () => withId({ kind: 'unschedule_cancelation' } as const)

test('a subscription wakes when it is due, not before, and sleeps again', async () => {
  const dueMs = Date.now() + 1500
  const { id, plan } = await sleepers.begin({ dueMs })
  await waitFor(
    async () => await Promise.resolve(plan.asked),
    ({ length }) => length > 1,
  )
  expect(plan.asked[1]?.asOfMs).toBeGreaterThanOrEqual(dueMs)
  const events = await sleepers.atRest(id)
  expect(events.filter((event) => event.timerFiredEventAttributes)).toHaveLength(1)
  expect(pendingTimers(events)).toHaveLength(1)
  await sleepers.end(id)
})

test('a subscription whose workflow is canceled while it sleeps is over', async () => {
  const { id } = await sleepers.begin({ dueMs: Date.now() + HOUR })
  const handle = sleepers.client.workflow.getHandle(`subscription/${id}`)
  await handle.cancel()
  await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } })
})

const changes = fc.record({
  to: fc.constantFrom('same', 'same', 'earlier', 'later', 'years ahead', 'soon', 'never'),
  command: fc.constantFrom(withdraw, release),
})
const moved = (to: string, dueMs: number | null): number | null => {
  switch (to) {
    case 'same':
      return dueMs
    case 'earlier':
      return Date.now() + HOUR / 2
    case 'later':
      return Date.now() + 3 * HOUR
    case 'years ahead':
      return Date.now() + 1000 * 24 * HOUR
    case 'soon':
      return Date.now() + 400
    default:
      return null
  }
}

test('whatever commands do to what is due, one timer runs to it, begun anew only where it has to be, and the history replays', async () => {
  const histories: [string, object][] = []
  await fc.assert(
    fc.asyncProperty(fc.array(changes, { minLength: 1, maxLength: 8 }), async (moves) => {
      const { id, plan } = await sleepers.begin({ dueMs: Date.now() + HOUR })
      let canceled = 0
      let run = ''
      for (const { to, command } of moves) {
        const { length } = plan.asked
        const before = plan.dueMs
        plan.dueMs = moved(to, before)
        // A timer that runs is left alone by a command that may, and that does not move what is due.
        if (before !== null && (command === release || plan.dueMs !== before)) canceled++
        await sleepers.temporal.updateSubscription(id, command())
        if (to === 'soon')
          await waitFor(
            async () => await Promise.resolve(plan.asked.length),
            (now) => now > length + 1,
          )
        const events = await sleepers.atRest(id)
        // It may have gone on as a new run.
        const ofRun = events[0]?.workflowExecutionStartedEventAttributes?.originalExecutionRunId ?? ''
        if (ofRun !== run && run !== '') canceled = 0
        run = ofRun
        const [ends, ...more] = pendingTimers(events)
        expect(more).toEqual([])
        expect(events.filter((event) => event.timerCanceledEventAttributes)).toHaveLength(canceled)
        if (plan.dueMs === null) expect(ends).toBeUndefined()
        else
          expect(Math.abs((ends ?? 0) - Math.min(plan.dueMs, Date.now() + 365 * 24 * HOUR))).toBeLessThan(
            5000,
          )
      }
      histories.push([id, await sleepers.client.workflow.getHandle(`subscription/${id}`).fetchHistory()])
      await sleepers.end(id)
    }),
    { numRuns: runs(8) },
  )
  const workflowBundle = { codePath: await workflowBundlePath() }
  for (const [id, history] of histories)
    await Worker.runReplayHistory({ workflowBundle }, history, `subscription/${id}`)
})

/** The years-ahead history as it goes on a year later: its timer fires, and the next one begins. */
async function aYearLater() {
  const recorded = (await readHistories()).find(({ name }) => name === 'subscription-years-ahead')
  if (!recorded) throw new Error('not recorded')
  const { history, workflowId } = recorded
  const started = history.events.findLast(({ eventType }) => eventType === 'EVENT_TYPE_TIMER_STARTED')
  const timerId = (started?.['timerStartedEventAttributes'] as { timerId: string } | undefined)?.timerId
  const from = history.events.length
  const yearMs = 365 * 24 * HOUR
  const eventTime = new Date(Date.parse(String(started?.['eventTime'])) + yearMs + 100).toISOString()
  const later = (
    [
      ['TIMER_FIRED', { timerFiredEventAttributes: { timerId, startedEventId: started?.['eventId'] } }],
      ['WORKFLOW_TASK_SCHEDULED', { workflowTaskScheduledEventAttributes: {} }],
      ['WORKFLOW_TASK_STARTED', { workflowTaskStartedEventAttributes: { scheduledEventId: `${from + 2}` } }],
      [
        'WORKFLOW_TASK_COMPLETED',
        {
          workflowTaskCompletedEventAttributes: {
            scheduledEventId: `${from + 2}`,
            startedEventId: `${from + 3}`,
          },
        },
      ],
      [
        'TIMER_STARTED',
        { timerStartedEventAttributes: { timerId: '2', workflowTaskCompletedEventId: `${from + 4}` } },
      ],
    ] as const
  ).map(([kind, attributes], index) => ({
    eventId: `${from + 1 + index}`,
    eventTime,
    eventType: `EVENT_TYPE_${kind}`,
    ...attributes,
  }))
  return { workflowId, history: { events: [...history.events, ...later] } }
}

test('an instant further ahead than a timer reaches is waited for again when the timer ends', async () => {
  const { workflowId, history } = await aYearLater()
  const workflowBundle = { codePath: await workflowBundlePath() }
  await Worker.runReplayHistory({ workflowBundle }, history, workflowId)
})
