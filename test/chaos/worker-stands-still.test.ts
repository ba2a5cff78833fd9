import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { holdRequest } from '../support/faults.ts'
import { countHistory, readHistory } from '../support/history.ts'
import type { HistoryEvent } from '../support/history.ts'
import { advanceTo, waitFor } from '../support/scenario.ts'
import { accountOf, expectedAccount } from './account.ts'
import { cycles } from './cycles.ts'
import { startLane } from './lane.ts'
import type { Lane } from './lane.ts'

// A boundary is billed within its workflow task, and a command that needs rows only carried out: a worker that stands still
// for longer than that may last loses the task, and finds out when it has done all of it.
const LIMIT_MS = 200_000
const BEYOND = '2026-02-03T00:00:00Z'
const { prepare, invoices, tokens } = cycles.ordinary

let lane: Lane
beforeAll(async () => {
  lane = await startLane()
})
afterAll(async () => {
  await lane.close()
})

/** The worker is amid the payment of a boundary's invoice, whose answer is held. */
async function amidBoundary() {
  const billed = await prepare(lane)
  const { id } = await lane.database.db
    .selectFrom('subscriptions')
    .select('id')
    .where('customerId', '=', billed.customerId)
    .executeTakeFirstOrThrow()
  const held = await holdRequest(lane.sandboxUrl, { kind: 'hold_after', method: 'POST', path: '/pay$' })
  const advanced = advanceTo(lane, billed.clockId, BEYOND)
  await held.arrived()
  return { billed, id, held, advanced }
}

const historyOf = async (id: string): Promise<readonly HistoryEvent[]> =>
  await readHistory(lane.client, `subscription/${id}`)
const wasLost = (events: readonly HistoryEvent[]): boolean =>
  events.some(({ kind }) => kind === 'workflowTaskTimedOut')

/** It stands still there, and in time another may have its task. */
async function stoppedAmidBoundary() {
  const amid = await amidBoundary()
  lane.worker.signal('SIGSTOP')
  return { ...amid, timedOut: waitFor(async () => await historyOf(amid.id), wasLost) }
}

/** Canceled at its period's end: repeated as a caller does who was answered that workers did not come to it in time. */
async function canceled(id: string): Promise<void> {
  const url = `${lane.url}/api/v1/subscriptions/${id}/cancel`
  const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() }
  const body = JSON.stringify({ timing: 'next_billing_cycle' })
  await waitFor(
    async () => (await fetch(url, { method: 'POST', headers, body })).status,
    (status) => status === 200,
  )
}

async function cancelations(id: string): Promise<number> {
  const timeline = await lane.call<readonly { kind: string }[]>('GET', `/api/v1/subscriptions/${id}/timeline`)
  return timeline.filter(({ kind }) => kind === 'cancel').length
}

const accountIsRight = async (billed: Parameters<typeof accountOf>[1]): Promise<void> =>
  expect(await accountOf(lane, billed)).toEqual(expectedAccount(invoices, { stored: 2, tokens }))

test(
  'a worker that is told to stop amid a boundary bills it to the end, and hands its task in',
  { timeout: LIMIT_MS },
  async () => {
    const { billed, id, held, advanced } = await amidBoundary()
    await lane.worker.tellToStop()
    await held.letGo()
    // Nobody else is there who could have done it.
    const events = await waitFor(
      async () => await historyOf(id),
      (found) => countHistory(found).localActivities === 2,
    )
    expect(wasLost(events)).toBe(false)
    await lane.worker.startAgain()
    await advanced
    await accountIsRight(billed)
  },
)

test(
  'rules 29 and 31: a worker that stands still amid a boundary bills it once beside the one that took over',
  { timeout: LIMIT_MS },
  async () => {
    const { billed, held, advanced, timedOut } = await stoppedAmidBoundary()
    await timedOut
    await held.letGo()
    const other = lane.startWorker()
    await advanced
    lane.worker.signal('SIGCONT')
    // What it was amid is over when it has done the next period alone.
    await other.stop()
    await advanceTo(lane, billed.clockId, '2026-03-03T00:00:00Z')
    const march = { status: 'paid', totalMinor: '2000', failedCharges: 0 } as const
    expect(await accountOf(lane, billed)).toEqual(
      expectedAccount([...invoices, march], { stored: 2, tokens }),
    )
  },
)

test(
  'rule 29: a command that comes while a worker stands still amid a boundary is carried out once, when it goes on',
  { timeout: LIMIT_MS },
  async () => {
    const { billed, id, held, advanced, timedOut } = await stoppedAmidBoundary()
    const answered = canceled(id)
    await timedOut
    lane.worker.signal('SIGCONT')
    await held.letGo()
    await advanced
    await answered
    expect(await cancelations(id)).toBe(1)
    await accountIsRight(billed)
  },
)

/** A subscription whose first invoice is paid, and which sleeps. */
async function asleep(): Promise<string> {
  const { customerId } = await prepare(lane)
  const { id } = await lane.database.db
    .selectFrom('subscriptions')
    .select('id')
    .where('customerId', '=', customerId)
    .executeTakeFirstOrThrow()
  return id
}

test(
  'rule 29: a command whose worker dies when it is written and before its task is handed in is carried out once',
  { timeout: LIMIT_MS },
  async () => {
    const id = await asleep()
    const { died } = await lane.worker.arm('activity:advanceSubscription:after_effect')
    const answered = canceled(id)
    await died
    await answered
    expect(await cancelations(id)).toBe(1)
    const lost = await historyOf(id)
    // It was no activity, which would have been known to Temporal when it was lost.
    expect(wasLost(lost)).toBe(true)
    expect(countHistory(lost).activities).toBe(0)
  },
)

test(
  'rule 29: a command that its worker was amid when it stood still is carried out once beside the one that took over',
  { timeout: LIMIT_MS },
  async () => {
    const id = await asleep()
    const { db } = lane.database
    const held = await db.startTransaction().execute()
    await held.selectFrom('subscriptions').select('id').where('id', '=', id).forUpdate().execute()
    const answered = canceled(id)
    await waitFor(
      async () =>
        await sql<{ pid: number }>`SELECT pid FROM pg_stat_activity WHERE datname = current_database()
          AND wait_event_type = 'Lock'`.execute(db),
      ({ rows }) => rows.length > 0,
    )
    lane.worker.signal('SIGSTOP')
    await waitFor(async () => await historyOf(id), wasLost)
    const other = lane.startWorker()
    await held.commit().execute()
    // Its connection has the row now, for which the other waits.
    lane.worker.signal('SIGCONT')
    await answered
    await other.stop()
    await lane.call('POST', `/api/v1/subscriptions/${id}/unschedule-cancelation`)
    expect(await cancelations(id)).toBe(1)
  },
)
