import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import type { WorkerOptions } from '@temporalio/worker'
import { Client } from '@temporalio/client'
import pino from 'pino'
import type { Logger } from 'pino'
import { createActivities } from './src/activities/create-activities.ts'
import { keyWatch } from './src/billing/key-watch.ts'
import { readConfig } from './src/config.ts'
import type { Config } from './src/config.ts'
import { openDatabase } from './src/db/connection.ts'
import { untilSchema } from './src/db/migrate.ts'
import type { Database } from './src/db/connection.ts'
import { checkDatabase } from './src/db/stores/api-keys.ts'
import { requireTransactionIds } from './src/db/transaction-ids.ts'
import { startAppCare } from './src/relay/app-care.ts'
import { startEventPolling } from './src/relay/poll-events.ts'
import { freePort } from './src/local/ports.ts'
import { newId } from './src/new-id.ts'
import { startPulse } from './src/reconcile/pulse.ts'
import { startReconciler } from './src/reconcile/loop.ts'
import { startRelay } from './src/relay/relay.ts'
import { startUsageRollups } from './src/relay/usage-rollups.ts'
import { listenForScrapes } from './src/metrics/listener.ts'
import { temporalMetrics } from './src/metrics/temporal.ts'
import { workerMetrics } from './src/metrics/worker.ts'
import { createStripeGateway } from './src/stripe/gateway.ts'
import { loggedError } from './src/stripe/logged-error.ts'
import { temporalGateway } from './src/temporal/gateway.ts'
import { deploymentOptions } from './src/temporal/worker-version.ts'
import { version } from './src/version.ts'

/** Workflows, activities, the relay and the polling of events. Stateless: run as many as you like. */
async function main(): Promise<void> {
  const config = readConfig()
  const log = pino({ level: config.logLevel, name: 'worker', serializers: { err: loggedError } })
  const db = openDatabase({
    connectionString: config.databaseUrl,
    maxConnections: config.databasePoolSize,
    applicationName: 'perennial-worker',
  })
  // Before anything that would hold up a stop: there is nothing to do without it, and nothing may be done on an older schema.
  await untilSchema(db, () => log.warn('the database cannot be reached; the worker runs as soon as it can'))
  await requireTransactionIds(db)
  const sdkMetrics = config.metrics.port === undefined ? null : temporalMetrics(await freePort())
  Runtime.install({
    shutdownSignals: ['SIGINT', 'SIGTERM'],
    logger: temporalLogger(log),
    telemetryOptions: {
      logging: { forward: {}, filter: 'WARN' },
      ...(sdkMetrics !== null && { metrics: sdkMetrics.exporter }),
    },
  })
  const connection = await NativeConnection.connect({ address: config.temporal.address })
  const watch = openDatabase({
    connectionString: config.databaseUrl,
    maxConnections: 1,
    applicationName: 'perennial-metrics',
  })
  const metrics = workerMetrics(db, watch)
  const temporal = temporalGateway(new Client({ connection, namespace: config.temporal.namespace }), {
    taskQueue: config.temporal.taskQueue,
  })
  const stripe = createStripeGateway({
    masterKey: config.masterKey,
    ...(config.previousMasterKey !== undefined && { previousMasterKey: config.previousMasterKey }),
    allowLiveKeys: config.stripe.allowLiveKeys,
    keyWatch: keyWatch(db, log),
    observer: metrics.stripe,
    // Another address than Stripe's own is a sandbox: it has no limits.
    ...(config.stripe.baseUrl !== undefined && { baseUrl: config.stripe.baseUrl, limits: false }),
  })
  const pulse = startPulse({ db, log })
  const relay = startRelay({ db, temporal, stripe, newId, log, observer: metrics.relay })
  const polling = startEventPolling({ db, stripe, log })
  const care = startAppCare({ db, stripe, log })
  const reconciler = startReconciler({ db, temporal, stripe, log, observer: metrics.reconciler })
  const rollups = startUsageRollups({ db, log })
  const activities = createActivities({
    db,
    stripe,
    temporal,
    newId,
    jitterWindowMs: config.closeJitterMs,
    kickRelay: relay.kick,
    maxClockSteps: Math.floor(config.worker.maxConcurrentActivities / 2),
    log,
    observer: metrics.billing,
  })
  const { cachedWorkflows } = config.worker
  const worker = await Worker.create({
    connection,
    namespace: config.temporal.namespace,
    taskQueue: config.temporal.taskQueue,
    activities,
    ...workflowSource(config),
    identity: `${config.worker.buildId} ${process.pid}@${hostname()}`,
    ...workerVersion(config),
    maxConcurrentActivityTaskExecutions: config.worker.maxConcurrentActivities,
    maxConcurrentWorkflowTaskExecutions: config.worker.maxConcurrentWorkflowTasks,
    // Else the SDK's own, by the size of the heap: what sleeps in memory need not be replayed when it wakes.
    ...(cachedWorkflows !== undefined && {
      // Who is amid a step has to stay.
      maxCachedWorkflows: Math.max(cachedWorkflows, config.worker.maxConcurrentWorkflowTasks),
    }),
    shutdownGraceTime: config.shutdownGraceMs,
    shutdownForceTime: config.shutdownGraceMs + 5_000,
  })
  const { host, port } = config.metrics
  const scrapes =
    port === undefined || sdkMetrics === null
      ? null
      : await listenForScrapes({
          host,
          port,
          registry: metrics.registry,
          more: sdkMetrics.read,
          isReady: async () => worker.getState() === 'RUNNING' && (await answers(watch)),
        })
  const { deployment, buildId } = config.worker
  log.info({ version, deployment, buildId, temporal: config.temporal }, 'worker runs')
  await worker.run()
  await reconciler.stop()
  await pulse.stop()
  await polling.stop()
  await care.stop()
  await rollups.stop()
  await relay.stop()
  await scrapes?.close()
  await connection.close()
  await watch.destroy()
  await db.destroy()
  log.info('worker stopped')
}

async function answers(db: Database): Promise<boolean> {
  return await checkDatabase(db).then(
    () => true,
    () => false,
  )
}

/** What Temporal says of activities that failed goes to the same log, by the same rule for errors. */
function temporalLogger(log: Logger): DefaultLogger {
  return new DefaultLogger('INFO', ({ level, message, meta }) => {
    const { error, ...rest } = meta ?? {}
    const fields = error === undefined ? rest : { ...rest, err: error }
    if (level === 'ERROR') log.error(fields, message)
    else if (level === 'WARN') log.warn(fields, message)
    else log.info(fields, message)
  })
}

function workerVersion({ worker }: Config): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  const { deployment, buildId } = worker
  if (deployment === undefined) return {}
  return { workerDeploymentOptions: deploymentOptions({ deployment, buildId }) }
}

function workflowSource(config: Config): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  if (config.workflowBundle !== undefined) return { workflowBundle: { codePath: config.workflowBundle } }
  return { workflowsPath: fileURLToPath(new URL('./src/workflows/index.ts', import.meta.url)) }
}

await main()
