import { Connection } from '@temporalio/client'
import type { Database } from '../db/connection.ts'
import { openDatabase } from '../db/connection.ts'
import { pendingMigrations } from '../db/migrate.ts'
import { checkDatabase } from '../db/stores/api-keys.ts'
import { findDefaultApp } from '../db/stores/apps.ts'
import { createStripeGateway } from '../stripe/gateway.ts'

/** A part of an installation, and whether it does its work. */
export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  /** What to do when it does not. */
  readonly next?: string
}

export interface CheckTargets {
  readonly databaseUrl: string | null
  readonly temporal: { readonly address: string; readonly namespace: string; readonly taskQueue: string }
  readonly apiUrl: string
  readonly stripeBaseUrl: string | undefined
  readonly masterKey: string | null
}

interface Check {
  readonly name: string
  readonly next: string
  /** Returns what was found; throws what is wrong. */
  readonly run: () => Promise<string>
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
    const checks = [...databaseChecks(db), ...checksWithoutDatabase(targets), ...stripeChecks(db, targets)]
    return await Promise.all(checks.map(perform))
  } finally {
    await db.destroy()
  }
}

async function perform({ name, next, run }: Check): Promise<CheckResult> {
  try {
    return { name, ok: true, detail: await run() }
  } catch (error) {
    return { name, ok: false, detail: reasonOf(error), next }
  }
}

/** A refused connection to two addresses is an AggregateError without a message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
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
  ]
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

function stripeChecks(db: Database, targets: CheckTargets): readonly Check[] {
  return [
    {
      name: 'Stripe app',
      next: 'install one: POST /api/v1/marketplace/listings/stripe/install/apikey',
      run: async () => {
        const app = await defaultStripeApp(db)
        const { gateway, stored } = storedApp(app, targets)
        const key = gateway.decryptSecret(stored.apiKeyEncrypted, { appId: app.id, field: 'api_key' })
        const inspected = await gateway.inspectKey(key)
        return `${inspected.keyMask} of ${inspected.accountId}${inspected.livemode ? ', live' : ', test'}`
      },
    },
    {
      name: 'Stripe webhook',
      next: 'set PUBLIC_URL to where Stripe reaches the API, and install the app again',
      run: async () => {
        const app = await findDefaultApp(db)
        if (app === null) return 'none yet: it comes with the app'
        const { gateway, stored } = storedApp(app, targets)
        if (stored.webhookEndpointId === null) return 'none; events are polled by the worker'
        const state = await gateway.checkWebhookEndpoint(stored)
        if (!state.exists) throw new Error('Stripe has no such endpoint any more')
        if (!state.enabled) throw new Error('Stripe has disabled the endpoint')
        if (state.missingEvents.length > 0)
          throw new Error(`it does not send ${state.missingEvents.join(', ')}`)
        return `sends to ${state.url ?? 'an unknown address'}`
      },
    },
  ]
}

type AppRow = NonNullable<Awaited<ReturnType<typeof findDefaultApp>>>

async function defaultStripeApp(db: Database): Promise<AppRow> {
  const app = await findDefaultApp(db)
  if (app === null) throw new Error('no Stripe app is installed')
  return app
}

function storedApp(app: AppRow, targets: CheckTargets) {
  if (targets.masterKey === null)
    throw new Error('PERENNIAL_MASTER_KEY is not known here: the key cannot be read')
  if (app.apiKeyEncrypted === null) throw new Error('the app has no key')
  const gateway = createStripeGateway({
    masterKey: targets.masterKey,
    allowLiveKeys: true,
    ...(targets.stripeBaseUrl === undefined ? {} : { baseUrl: targets.stripeBaseUrl }),
  })
  return { gateway, stored: { ...app, apiKeyEncrypted: app.apiKeyEncrypted } }
}
