import { randomUUID } from 'node:crypto'
import { Client } from '@temporalio/client'
import { NativeConnection, Runtime } from '@temporalio/worker'
import { pino } from 'pino'
import { ulid } from 'ulid'
import { createActivities } from '../../src/activities/create-activities.ts'
import { buildApp } from '../../src/api/app.ts'
import { keyWatch } from '../../src/billing/key-watch.ts'
import { startRelay } from '../../src/relay/relay.ts'
import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { temporalGateway } from '../../src/temporal/gateway.ts'
import { caller } from './caller.ts'
import type { Call } from './caller.ts'
import { createTestDatabase } from './database.ts'
import type { TestDatabase } from './database.ts'
import { assertJournalMatchesSpec } from './stripe-request-schemas.ts'
import { testTemporalAddress } from './temporal.ts'
import { startTestWorker } from './worker.ts'
import type { TestWorker, WorkerVersion } from './worker.ts'

/** The whole product in this process, on a database and a task queue of its own, against a sandbox of its own. */
export interface Installation {
  readonly url: string
  readonly sandboxUrl: string
  readonly database: TestDatabase
  readonly client: Client
  readonly taskQueue: string
  readonly call: Call
  readonly close: () => Promise<void>
}

interface StartedInstallation extends Installation {
  /** One more worker, of another version where one is given; it stops with the installation at the latest. */
  readonly startWorker: (version?: WorkerVersion) => Promise<TestWorker>
}

export const MASTER_KEY = 'test-master-key-test-master-key-0'

Runtime.install({ telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } } })

interface InstallationOptions {
  /** How soon a step gives Stripe up and waits on the customer's clock. */
  readonly stripeTries?: number
  /** Of test clocks; left out: any number. */
  readonly maxClockSteps?: number
  /** Of a Temporal of one's own; left out: the run's. */
  readonly temporalAddress?: string
  /** The first worker's version; null: the test starts its workers itself. */
  readonly worker?: WorkerVersion | null
  /** Where the state of another installation is gone on with: its sandbox stays up when this one is closed. */
  readonly on?: {
    readonly database: TestDatabase
    readonly sandboxUrl: string
    /** Of Temporal. */
    readonly namespace: string
  }
}

/** Starts it; about two seconds. Close it in afterAll. */
export async function startInstallation(options: InstallationOptions = {}): Promise<StartedInstallation> {
  const [database, sandbox, address] = await Promise.all([
    options.on?.database ?? createTestDatabase(),
    options.on === undefined
      ? startSandbox({ port: 0 })
      : { url: options.on.sandboxUrl, close: async () => {} },
    options.temporalAddress ?? testTemporalAddress(),
  ])
  const { db } = database
  const log = pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' })
  const taskQueue = `test-${randomUUID()}`
  const connection = await NativeConnection.connect({ address })
  const namespace = options.on?.namespace ?? 'default'
  const client = new Client({ connection, namespace })
  const temporal = temporalGateway(client, { taskQueue })
  const stripe = createStripeGateway({
    masterKey: MASTER_KEY,
    baseUrl: sandbox.url,
    limits: false,
    keyWatch: keyWatch(db, log),
  })
  const relay = startRelay({ db, temporal, stripe, newId: ulid, log })
  const activities = createActivities({
    db,
    stripe,
    temporal,
    newId: ulid,
    jitterWindowMs: 0,
    ...(options.stripeTries !== undefined && { stripeTries: options.stripeTries }),
    ...(options.maxClockSteps !== undefined && { maxClockSteps: options.maxClockSteps }),
    kickRelay: relay.kick,
    log,
  })
  const workers: TestWorker[] = []
  const startWorker = async (version: WorkerVersion = {}): Promise<TestWorker> => {
    const worker = await startTestWorker({ connection, namespace, taskQueue, activities }, version)
    workers.push(worker)
    return worker
  }
  if (options.worker !== null) await startWorker(options.worker)

  const config = { publicUrl: '' }
  const app = await buildApp(
    { db, temporal, stripe, config, newId: ulid, now: () => new Date(), log },
    { checkResponses: true },
  )
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  // Known only now: where the sandbox sends its webhooks.
  config.publicUrl = url

  const close = async (): Promise<void> => {
    // Every request that the product sent in the test is one that Stripe documents.
    await assertJournalMatchesSpec(sandbox.url)
    await app.close()
    // While the worker still answers: the relay may be waiting for a command to be carried out.
    await relay.stop()
    for (const worker of workers) await worker.stop()
    await connection.close()
    await sandbox.close()
    await database.drop()
  }
  return {
    url,
    sandboxUrl: sandbox.url,
    database,
    client,
    taskQueue,
    call: caller(url),
    startWorker,
    close,
  }
}
