import { randomUUID } from 'node:crypto'
import { Client, Connection } from '@temporalio/client'
import { pino } from 'pino'
import { ulid } from 'ulid'
import { buildApp } from '../../src/api/app.ts'
import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { temporalGateway } from '../../src/temporal/gateway.ts'
import { caller } from '../support/caller.ts'
import { createTestDatabase } from '../support/database.ts'
import { MASTER_KEY } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addTokenPlan, startScenario } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { testTemporalAddress, workflowBundlePath } from '../support/temporal.ts'
import { superviseWorker } from './supervised-worker.ts'
import type { SupervisedWorker } from './supervised-worker.ts'

/** An installation of its own whose worker is another process that may be killed. */
export interface Lane extends Installation {
  readonly worker: SupervisedWorker
  /** One more beside it, which the caller stops. */
  readonly startWorker: () => SupervisedWorker
  readonly scenario: Scenario
}

interface LaneOptions {
  /** Temporal's; the run's own where left out. */
  readonly address?: string
}

/** Starts the API and the sandbox here and the worker as a child; about three seconds. Vitest runs five tests at once. */
export async function startLane(options: LaneOptions = {}): Promise<Lane> {
  const [database, sandbox, address, bundle] = await Promise.all([
    createTestDatabase(),
    startSandbox({ port: 0 }),
    options.address ?? testTemporalAddress(),
    workflowBundlePath(),
  ])
  const taskQueue = `chaos-${randomUUID()}`
  const env = {
    DATABASE_URL: database.url,
    DATABASE_POOL_SIZE: '4',
    TEMPORAL_ADDRESS: address,
    TEMPORAL_TASK_QUEUE: taskQueue,
    STRIPE_API_BASE: sandbox.url,
    PERENNIAL_MASTER_KEY: MASTER_KEY,
    WORKFLOW_BUNDLE: bundle,
    LOG_LEVEL: process.env['TEST_LOG_LEVEL'] ?? 'silent',
  }
  const startWorker = (): SupervisedWorker => superviseWorker(env)
  const worker = startWorker()
  const connection = await Connection.connect({ address })
  const client = new Client({ connection })
  const config = { publicUrl: '' }
  const app = await buildApp(
    {
      db: database.db,
      temporal: temporalGateway(client, { taskQueue }),
      stripe: createStripeGateway({ masterKey: MASTER_KEY, baseUrl: sandbox.url, limits: false }),
      config,
      newId: ulid,
      now: () => new Date(),
      log: pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' }),
    },
    { checkResponses: true },
  )
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  config.publicUrl = url
  const installation: Installation = {
    url,
    sandboxUrl: sandbox.url,
    database,
    client,
    taskQueue,
    call: caller(url),
    async close() {
      await worker.stop()
      await app.close()
      await connection.close()
      await sandbox.close()
      await database.drop()
    },
  }
  const scenario = await startScenario(installation)
  await addTokenPlan(installation)
  return { ...installation, worker, startWorker, scenario }
}

/** More would only make each slower: a worker's start takes a core for seconds. Vitest runs five tests at once. */
const MAX_LANES = 5

/** Lanes are used again; one that failed is replaced. */
export interface Lanes {
  /** Starts all of them: on a busy machine that takes longer than what each is for. */
  readonly open: () => Promise<void>
  /** Waits for a lane; one where the work failed is closed and not used again. */
  readonly use: <T>(work: (lane: Lane) => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

export function createLanes(): Lanes {
  const free: Lane[] = []
  const waiting: (() => void)[] = []
  let used = 0
  let starting: Promise<unknown> = Promise.resolve()
  /** One after the other: all at once, they would starve each other. */
  const startNext = async (): Promise<Lane> => {
    const started = starting.then(async () => await startLane())
    starting = started.catch(() => {})
    return await started
  }
  const onLane = async <T>(lane: Lane, work: (lane: Lane) => Promise<T>): Promise<T> => {
    try {
      const result = await work(lane)
      free.push(lane)
      return result
    } catch (error) {
      await lane.close()
      throw error
    }
  }
  return {
    async open() {
      while (free.length < MAX_LANES) free.push(await startNext())
    },
    async use(work) {
      if (used < MAX_LANES) used += 1
      else await new Promise<void>((resolve) => void waiting.push(resolve))
      try {
        return await onLane(free.pop() ?? (await startNext()), work)
      } finally {
        // The place goes to whoever waits, also where the lane could not be started.
        const next = waiting.shift()
        if (next === undefined) used -= 1
        else next()
      }
    },
    async close() {
      await Promise.all(free.map(async (lane) => await lane.close()))
    },
  }
}
