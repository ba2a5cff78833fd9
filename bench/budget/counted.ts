import type { Sample } from '../support/benchmark.ts'
import { countHistory } from '../../test/support/history.ts'
import type { HistoryEvent } from '../../test/support/history.ts'
import type { Walker } from '../../test/support/billing-paths.ts'
import { waitFor } from '../../test/support/scenario.ts'
import { steerSandbox } from '../../test/support/stripe-client.ts'

/** What Temporal has written of a way through billing, and between which instants Stripe's part is counted. */
export interface Walked {
  readonly events: readonly HistoryEvent[]
  readonly fromMs: number
  /** Left out: until all is quiet. */
  readonly toMs?: number
}

export const counts = [
  'workflow tasks',
  'activities',
  'local activities',
  'Stripe requests',
  'events kept',
] as const

/** Walks it alone, to the last webhook, and counts. */
export async function counted(walker: Walker, walk: () => Promise<Walked>): Promise<Sample> {
  await calm(walker)
  const { events, fromMs, toMs = Number.MAX_SAFE_INTEGER } = await walk()
  await calm(walker)
  const history = countHistory(events)
  const isCounted = (atMs: number): boolean => atMs >= fromMs && atMs < toMs
  const more: Readonly<Record<(typeof counts)[number], number>> = {
    'workflow tasks': history.workflowTasks,
    activities: history.activities,
    'local activities': history.localActivities,
    'Stripe requests': (await requestTimes(walker)).filter(isCounted).length,
    'events kept': (await inboxTimes(walker)).filter(isCounted).length,
  }
  return { value: history.events, more }
}

/** Waits until nothing is on its way between Stripe, the rows and Temporal. */
export async function calm({ installation: { sandboxUrl, database } }: Walker): Promise<void> {
  const { db } = database
  await waitFor(
    async () => {
      const inbox = await db
        .selectFrom('stripeEvents')
        .select('eventId')
        .where('processedAt', 'is', null)
        .execute()
      const outbox = await db.selectFrom('outbox').select('id').where('doneAt', 'is', null).execute()
      const sandbox = await steerSandbox<{ settled: boolean }>(sandboxUrl, {
        method: 'GET',
        path: '/settled',
      })
      return { waiting: inbox.length + outbox.length, settled: sandbox.settled }
    },
    ({ waiting, settled }) => settled && waiting === 0,
  )
}

interface Logged {
  readonly at: string
  readonly path: string
  /** Null: not sent by a client of Stripe's, but by who walks. */
  readonly stripeVersion: string | null
}

/** Of the product's, without its care for the account and its endpoint, which is no part of any invoice. */
async function requestTimes({ installation: { sandboxUrl } }: Walker): Promise<readonly number[]> {
  const { requests } = await steerSandbox<{ requests: readonly Logged[] }>(sandboxUrl, {
    method: 'GET',
    path: '/requests',
  })
  return requests
    .filter(({ stripeVersion }) => stripeVersion !== null)
    .filter(({ path }) => !/^\/v1\/(account|webhook_endpoints|events)/.test(path))
    .map(({ at }) => Date.parse(at))
}

/** Of Stripe's events that were kept: what nothing follows from is answered only. */
async function inboxTimes({ installation: { database } }: Walker): Promise<readonly number[]> {
  const rows = await database.db.selectFrom('stripeEvents').select('receivedAt').execute()
  return rows.map(({ receivedAt }) => receivedAt.getTime())
}
