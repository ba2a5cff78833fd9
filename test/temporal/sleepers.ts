import { randomUUID } from 'node:crypto'
import { Client } from '@temporalio/client'
import { NativeConnection } from '@temporalio/worker'
import type { SubscriptionActivities, SubscriptionStep } from '../../src/activities/contracts.ts'
import { temporalGateway } from '../../src/temporal/gateway.ts'
import type { TemporalGateway } from '../../src/temporal/gateway.ts'
import { historyEvents, isAtRest } from '../support/history.ts'
import { waitFor } from '../support/scenario.ts'
import { testTemporalAddress } from '../support/temporal.ts'
import { startTestWorker } from '../support/worker.ts'

type Asked = Parameters<SubscriptionActivities['advanceSubscription']>[0]

export const HOUR = 3_600_000

/** What a subscription without any billing is to do, and what its steps were asked so far. */
export interface Plan {
  /** When it wants to look again. */
  dueMs: number | null
  /** How long after a step that was due the next one is; an hour, where the rest is not given. */
  readonly gapsMs: number[]
  readonly asked: Asked[]
  /** Waited for within each step. */
  gate: (asked: Asked) => Promise<void>
}

/** Subscriptions whose steps bill nothing and say when they want to look again, on a worker of their own. */
export interface Sleepers {
  readonly client: Client
  readonly temporal: TemporalGateway
  /** Starts one, and waits until it sleeps. */
  readonly begin: (plan: Partial<Plan>) => Promise<{ readonly id: string; readonly plan: Plan }>
  /** Waits until it was asked and nothing is under way; answers the history of its newest run. */
  readonly atRest: (id: string) => Promise<Events>
  readonly end: (id: string) => Promise<void>
  readonly stop: () => Promise<void>
}

export type Events = Awaited<ReturnType<typeof eventsOf>>

async function eventsOf(client: Client, id: string) {
  return (await client.workflow.getHandle(`subscription/${id}`).fetchHistory()).events ?? []
}

export async function startSleepers(): Promise<Sleepers> {
  const taskQueue = `sleepers-${randomUUID()}`
  const plans = new Map<string, Plan>()
  const connection = await NativeConnection.connect({ address: await testTemporalAddress() })
  const client = new Client({ connection })
  const temporal = temporalGateway(client, { taskQueue })
  const advanceSubscription = async (asked: Asked): Promise<SubscriptionStep> => {
    const plan = plans.get(asked.subscriptionId)
    plan?.asked.push(asked)
    await plan?.gate(asked)
    // A boundary that was billed is followed by the next one.
    if (asked.command === undefined && plan?.dueMs != null && plan.dueMs <= asked.asOfMs)
      plan.dueMs = asked.asOfMs + (plan.gapsMs.shift() ?? HOUR)
    const nextDueMs = plan?.dueMs ?? null
    const words = { lifecycle: 'active', summary: 'waits for its boundary', waitingFor: 'the next boundary' }
    return { ...words, nextDueMs, quietFromMs: nextDueMs, ended: false, refused: null }
  }
  const activities = { advanceSubscription }
  const worker = await startTestWorker({ connection, namespace: 'default', taskQueue, activities }, {})
  const atRest = async (id: string): Promise<Events> => {
    return await waitFor(
      async () => await eventsOf(client, id),
      (events) => (plans.get(id)?.asked.length ?? 0) > 0 && isAtRest(historyEvents(events)),
    )
  }
  return {
    client,
    temporal,
    async begin(wanted) {
      const id = randomUUID()
      const plan: Plan = { dueMs: null, gapsMs: [], asked: [], gate: async () => {}, ...wanted }
      plans.set(id, plan)
      await temporal.startSubscription({
        subscriptionId: id,
        customerKey: 'c',
        planKey: 'p',
        testNowMs: null,
      })
      await atRest(id)
      return { id, plan }
    },
    atRest,
    end: async (id) => void (await client.workflow.getHandle(`subscription/${id}`).terminate()),
    async stop() {
      await worker.stop()
      await connection.close()
    },
  }
}
