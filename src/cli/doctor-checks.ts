import { Connection } from '@temporalio/client'
import type { Database } from '../db/connection.ts'
import { openDatabase } from '../db/connection.ts'
import { pendingMigrations } from '../db/migrate.ts'
import { checkDatabase } from '../db/stores/api-keys.ts'
import { newestRun } from '../db/stores/reconciliation-runs.ts'
import { givenUpEvents } from '../db/stores/stripe-events.ts'
import { transactionIdsProblem } from '../db/transaction-ids.ts'
import { stripeChecks } from './doctor-stripe.ts'

/** A part of an installation, and whether it does its work. */
export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  /** What to do when it does not. */
  readonly next?: string
  /** What works less well than it could, and why. */
  readonly degraded?: readonly string[]
  /** The app whose part it is, and whether `--repair` can mend it. */
  readonly appId?: string
  readonly isRepairable?: boolean
}

export interface CheckTargets {
  readonly databaseUrl: string | null
  readonly temporal: { readonly address: string; readonly namespace: string; readonly taskQueue: string }
  readonly apiUrl: string
  readonly stripeBaseUrl: string | undefined
  readonly masterKey: string | null
  readonly previousMasterKey: string | null
  /** Where Stripe reaches the API; null: not known here. */
  readonly publicUrl: string | null
}

/** What a check found that is in order, with what is degraded. */
export interface Found {
  readonly detail: string
  readonly degraded: readonly string[]
}

export interface Check {
  readonly name: string
  readonly next: string
  readonly appId?: string
  readonly isRepairable?: boolean
  /** Returns what was found; throws what is wrong. */
  readonly run: () => Promise<string | Found>
}

/** Whether a worker polls: what a container asks of itself. */
export async function checkWorker(targets: CheckTargets): Promise<readonly CheckResult[]> {
  return await Promise.all(
    checksWithoutDatabase(targets)
      .filter((check) => check.name === 'Worker')
      .map(perform),
  )
}

/** Runs every check, whatever the ones before it found. */
export async function runChecks(targets: CheckTargets): Promise<readonly CheckResult[]> {
  if (targets.databaseUrl === null) {
    const result = {
      name: 'PostgreSQL',
      ok: false,
      detail: 'no address is known',
      next: 'run npm start, or set DATABASE_URL',
    }
    return [result, ...(await Promise.all(checksWithoutDatabase(targets).map(perform)))]
  }
  const db = openDatabase({
    connectionString: targets.databaseUrl,
    maxConnections: 2,
    applicationName: 'perennial-doctor',
  })
  try {
    const stripe = await stripeChecks(db, targets)
    const checks = [...databaseChecks(db), ...checksWithoutDatabase(targets), ...stripe]
    return await Promise.all(checks.map(perform))
  } finally {
    await db.destroy()
  }
}

async function perform({ name, next, run, ...about }: Check): Promise<CheckResult> {
  try {
    const found = await run()
    const { detail, degraded } = typeof found === 'string' ? { detail: found, degraded: [] } : found
    return { name, ok: true, detail, ...about, ...(degraded.length > 0 && { degraded }) }
  } catch (error) {
    return { name, ok: false, detail: reasonOf(error), next, ...about }
  }
}

/** A refused connection to two addresses is an AggregateError without a message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? error.cause.message : ''
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}

function databaseChecks(db: Database): readonly Check[] {
  return [
    {
      name: 'PostgreSQL',
      next: 'run npm start, or correct DATABASE_URL',
      run: async () => await checkDatabase(db),
    },
    {
      name: 'Migrations',
      next: 'run npx perennial migrate',
      run: async () => {
        const pending = await pendingMigrations(db)
        if (pending.length > 0) throw new Error(`missing: ${pending.join(', ')}`)
        return 'up to date'
      },
    },
    {
      name: 'Transactions',
      next: 'stop every process, and advance the transaction ids as the page says',
      run: async () => {
        const problem = await transactionIdsProblem(db)
        if (problem !== null) throw new Error(problem)
        return 'their ids go on from those of stored usage'
      },
    },
    {
      name: 'Billing profile',
      next: 'create one with "default": true: POST /api/v1/billing/profiles',
      run: async () => {
        const query = db
          .selectFrom('billingProfiles')
          .select('name')
          .where('isDefault', '=', true)
          .where('deletedAt', 'is', null)
        const profile = await query.executeTakeFirst()
        if (profile === undefined)
          throw new Error('there is no default profile: customers without one of their own are not billed')
        return `"${profile.name}" is the default`
      },
    },
    {
      name: 'Stripe events',
      next: 'run npx perennial migrate',
      run: async () => await givenUp(db),
    },
    {
      name: 'Reconciler',
      next: 'run npx perennial reconcile, and read the worker’s log',
      run: async () => await reconciled(db),
    },
  ]
}

const REMEMBERED_MS = 30 * 24 * 60 * 60 * 1000

/** What the inbox tried for days and then gave up. */
async function givenUp(db: Database): Promise<string | Found> {
  const events = await givenUpEvents(db, new Date(Date.now() - REMEMBERED_MS))
  const [newest] = events
  if (newest === undefined) return 'none was given up in 30 days'
  const { type, eventId, objectId, lastError } = newest
  return {
    detail: `${events.length} given up in 30 days, after three days of tries each`,
    degraded: [
      `effect, the newest: ${type} ${eventId} about ${objectId}: ${lastError ?? 'no reason is known'}`,
    ],
  }
}

const SILENT_MS = 60 * 60 * 1000
const SHOWN = 5

/** What the newest pass found, and whether the reconciler still looks. */
async function reconciled(db: Database): Promise<string | Found> {
  const run = await newestRun(db)
  if (run === undefined) return 'has not looked yet: the worker begins after some minutes'
  const at = run.lookedAt.toISOString()
  if (run.error !== null) throw new Error(`the look at ${at} failed: ${run.error}`)
  if (Date.now() - run.lookedAt.getTime() > SILENT_MS) throw new Error(`looked last at ${at}`)
  const findings = Array.isArray(run.findings) ? (run.findings as unknown as readonly Finding[]) : []
  const open = findings.filter(({ repaired }) => !repaired)
  const repaired = findings.length - open.length
  const detail = `${run.examined} compared at ${at}, ${run.findingsCount} findings, ${repaired} of them repaired`
  if (open.length === 0) return detail
  const shown = open.slice(0, SHOWN).map((one) => `an answer: ${one.kind} ${one.subject}: ${one.detail}`)
  return { detail, degraded: shown }
}

interface Finding {
  readonly kind: string
  readonly subject: string
  readonly detail: string
  readonly repaired: boolean
}

function checksWithoutDatabase(targets: CheckTargets): readonly Check[] {
  return [
    {
      name: 'Temporal',
      next: 'run npm start, or correct TEMPORAL_ADDRESS',
      run: async () => await onTemporal(targets, async () => `reachable at ${targets.temporal.address}`),
    },
    {
      name: 'Worker',
      next: 'run npm start, or start worker.ts with the same TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE',
      run: async () =>
        await onTemporal(targets, async (connection) => await pollers(connection, targets.temporal)),
    },
    {
      name: 'API',
      next: 'run npm start, or read the log of server.ts',
      run: async () => {
        const response = await fetch(`${targets.apiUrl}/readyz`, { signal: AbortSignal.timeout(5_000) })
        if (!response.ok)
          throw new Error(`${targets.apiUrl} is not ready: ${(await response.text()).slice(0, 300)}`)
        return `ready at ${targets.apiUrl}`
      },
    },
  ]
}

async function onTemporal(
  targets: CheckTargets,
  work: (connection: Connection) => Promise<string>,
): Promise<string> {
  const connection = await Connection.connect({ address: targets.temporal.address, connectTimeout: 5_000 })
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

async function pollers(
  connection: Connection,
  { namespace, taskQueue }: CheckTargets['temporal'],
): Promise<string> {
  const found = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
  })
  const workers = new Set((found.pollers ?? []).map((poller) => poller.identity))
  if (workers.size === 0)
    throw new Error(`no worker polls the task queue ${taskQueue}: nothing is billed meanwhile`)
  return `${workers.size} polling`
}
