import { Context } from '@temporalio/activity'
import { storedApp } from '../db/stores/billing-settings.ts'
import {
  clockMessages,
  clockSubjects,
  getTestClock,
  linkedStripeClocks,
  setClockReason,
  setClockReady,
  setClockTime,
} from '../db/stores/clock-progress.ts'
import type { ClockSubject, TestClockRow } from '../db/stores/clock-progress.ts'
import { workflowIds } from '../temporal/ids.ts'
import type { TestClockActivities, TestClockStep } from './contracts.ts'
import type { ActivityDeps } from './deps.ts'
import { verdictOf } from './failures.ts'
import { withHeartbeat } from './heartbeat.ts'

/** Due instants handled by one activity: long enough to be cheap, short enough to be seen moving. */
const INSTANTS_A_STEP = 20
/** It looks again after a share of the time that it has waited: soon where it is quick, seldom where many wait for long. */
const LOOK_AGAIN = { leastMs: 25, mostMs: 250, share: 0.1 } as const
/** On a worker that is full of clocks' steps: what is waited for needs room, too. */
const GIVES_WAY_MS = 3_000
/** A tick is repeated when its effect is missing for this long: a dead worker may have taken it along. */
const TICK_AGAIN_MS = 3_000
/** What is in the way after this long is written on the clock's row. */
const SLOW_MS = 10_000

/** Activities of `test-clock/{id}`. */
export function testClockActivities(deps: ActivityDeps): TestClockActivities {
  let running = 0
  const isCrowded = (): boolean => running > (deps.maxClockSteps ?? Infinity)
  return {
    stepTestClock: async ({ testClockId }) => {
      running += 1
      try {
        return await withHeartbeat(async () => await step({ ...deps, isCrowded }, testClockId))
      } finally {
        running -= 1
      }
    },
  }
}

interface StepDeps extends ActivityDeps {
  /** More clocks' steps run on this worker than may wait there. */
  readonly isCrowded: () => boolean
}

async function step(deps: StepDeps, testClockId: string): Promise<TestClockStep> {
  for (let instants = 0; instants < INSTANTS_A_STEP; instants++) {
    const clock = await getTestClock(deps.db, testClockId)
    if (!clock || clock.deletedAt !== null)
      return { done: true, frozenMs: 0, summary: 'The test clock was deleted' }
    if (!(await settle(deps, clock))) break
    const target = clock.targetTime ?? clock.frozenTime
    if (clock.frozenTime >= target) {
      const arrived = await arrive(deps, clock)
      if (arrived) return arrived
      continue
    }
    await moveTo(deps, clock, await nextInstant(deps, clock, target))
  }
  const clock = await getTestClock(deps.db, testClockId)
  const frozenMs = clock?.frozenTime.getTime() ?? 0
  return { done: false, frozenMs, summary: `At ${new Date(frozenMs).toISOString()}, going on` }
}

/** The next instant at which something is due, or the target. */
async function nextInstant(deps: ActivityDeps, clock: TestClockRow, target: Date): Promise<Date> {
  const due = (await clockSubjects(deps.db, clock.id)).flatMap(({ nextDueAt }) =>
    nextDueAt === null ? [] : [nextDueAt.getTime()],
  )
  return new Date(Math.min(target.getTime(), ...due))
}

async function moveTo(deps: ActivityDeps, clock: TestClockRow, to: Date): Promise<void> {
  // Stripe's time first: what our workflows do at this instant happens there at this instant too.
  const statusReason = await moveStripeTo(deps, clock, to)
  await setClockTime(deps.db, clock, { frozenTime: to, statusReason })
}

/** What a clock says while Stripe's stays behind. */
const BEHIND = 'Stripe’s test clock stays behind'

/**
 * Moves the linked test clocks at Stripe. While Stripe is away ours goes on, as real time would; the next move takes
 * theirs along. What is in the way, or null.
 */
async function moveStripeTo(deps: ActivityDeps, clock: TestClockRow, to: Date): Promise<string | null> {
  let behind: string | null = null
  for (const { appId, stripeTestClockId } of await linkedStripeClocks(deps.db, clock.id)) {
    try {
      const app = await storedApp(deps.db, appId)
      await deps.stripe.advanceTestClock(app, { testClockId: stripeTestClockId, toMs: to.getTime() })
    } catch (error) {
      const verdict = verdictOf(error)
      if (verdict.kind !== 'away') throw error
      behind = `${BEHIND}: ${verdict.message}`
      deps.log.warn({ testClockId: clock.id, err: error }, BEHIND)
    }
  }
  return behind
}

/**
 * Ticks whatever is due and waits until every effect has finished: nothing due, nothing on its way. False when it gave way
 * before: those who are waited for come first then, and its workflow has the next step wait.
 */
async function settle(deps: StepDeps, clock: TestClockRow): Promise<boolean> {
  const nowMs = clock.frozenTime.getTime()
  const tickedAt = new Map<string, number>()
  const began = Date.now()
  let isNoted = false
  for (;;) {
    const due = (await clockSubjects(deps.db, clock.id)).filter(
      ({ nextDueAt }) => nextDueAt !== null && nextDueAt.getTime() <= nowMs,
    )
    const messages = await clockMessages(deps.db, clock.id)
    if (due.length === 0 && messages === 0) break
    deps.kickRelay()
    await tickDue(deps, due, { nowMs, tickedAt })
    const waitedMs = Date.now() - began
    const givesWay = waitedMs > GIVES_WAY_MS && deps.isCrowded()
    // The next move takes it back.
    if (givesWay && clock.statusReason === null)
      await setClockReason(deps.db, clock.id, inTheWay(due, messages))
    if (givesWay) return false
    if (!isNoted && waitedMs > SLOW_MS) {
      isNoted = true
      await setClockReason(deps.db, clock.id, inTheWay(due, messages))
    }
    // A worker that stops is not held up by a clock: the step goes on elsewhere.
    await Context.current().sleep(lookAgainMs(waitedMs))
  }
  if (isNoted) await setClockReason(deps.db, clock.id, clock.statusReason)
  return true
}

function lookAgainMs(waitedMs: number): number {
  const { leastMs, mostMs, share } = LOOK_AGAIN
  return Math.min(Math.max(waitedMs * share, leastMs), mostMs)
}

function inTheWay(due: readonly ClockSubject[], messages: number): string {
  const ids = due.slice(0, 5).map(({ kind, id }) => `${kind}/${id}`)
  return `waiting for ${[...ids, ...(messages > 0 ? [`${messages} messages`] : [])].join(', ')}`
}

interface Ticking {
  readonly nowMs: number
  /** By workflow, in real time. */
  readonly tickedAt: Map<string, number>
}

async function tickDue(
  deps: ActivityDeps,
  due: readonly ClockSubject[],
  { nowMs, tickedAt }: Ticking,
): Promise<void> {
  for (const subject of due) {
    const id = workflowIdOf(subject)
    if (Date.now() - (tickedAt.get(id) ?? 0) < TICK_AGAIN_MS) continue
    tickedAt.set(id, Date.now())
    await deps.temporal.tick(id, nowMs)
  }
}

const workflowIdOf = ({ kind, id }: ClockSubject): string =>
  kind === 'subscription' ? workflowIds.subscription(id) : workflowIds.invoice(id)

/** Everyone learns the time the clock stopped at, so that a command that comes next is carried out as of it. */
async function arrive(deps: ActivityDeps, clock: TestClockRow): Promise<TestClockStep | null> {
  const frozenMs = clock.frozenTime.getTime()
  for (const subject of await clockSubjects(deps.db, clock.id))
    await deps.temporal.tick(workflowIdOf(subject), frozenMs)
  const isBehind = clock.statusReason?.startsWith(BEHIND) ?? false
  const statusReason = isBehind ? await moveStripeTo(deps, clock, clock.frozenTime) : null
  const { frozenTime } = clock
  if (!(await setClockReady(deps.db, clock.id, { frozenTime, statusReason }))) return null
  return { done: true, frozenMs, summary: `Ready at ${clock.frozenTime.toISOString()}` }
}
