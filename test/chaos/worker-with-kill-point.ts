import { Context } from '@temporalio/activity'
import { Client } from '@temporalio/client'
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import { pino } from 'pino'
import { ulid } from 'ulid'
import { createActivities } from '../../src/activities/create-activities.ts'
import { readConfig } from '../../src/config.ts'
import { openDatabase } from '../../src/db/connection.ts'
import { startRelay } from '../../src/relay/relay.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { temporalGateway } from '../../src/temporal/gateway.ts'
import { createKillSwitch, withCommitPoints, withKillPoints } from './kill-switch.ts'

// The worker process as worker.ts builds it, with kill points around everything that has an effect. Its parent arms one.
const config = readConfig()
const log = pino({ level: config.logLevel, name: 'worker' }, pino.destination(2))
const kill = createKillSwitch()
process.on('message', (point: string) => {
  kill.arm(point)
  process.send?.('armed')
})
process.on('SIGTERM', () => process.send?.('stopping'))
// A test that is gone leaves no workers behind.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
})
const connection = await NativeConnection.connect({ address: config.temporal.address })
const client = new Client({ connection })
const db = openDatabase({
  connectionString: config.databaseUrl,
  maxConnections: config.databasePoolSize,
})
const temporal = temporalGateway(client, { taskQueue: config.temporal.taskQueue })
const stripe = createStripeGateway({
  masterKey: config.masterKey,
  ...(config.stripe.baseUrl !== undefined && { baseUrl: config.stripe.baseUrl, limits: false }),
})
const relay = startRelay({ db, temporal, stripe, newId: ulid, log })
const activities = createActivities({
  db: withCommitPoints(db, kill),
  stripe: withKillPoints(stripe, { kill, group: 'stripe' }),
  temporal,
  newId: ulid,
  jitterWindowMs: 0,
  kickRelay: relay.kick,
  log,
})

/** Starts to watch the history, lets the activity return, and resolves once its completion is written there. */
async function whenReported(): Promise<{ readonly reported: Promise<void> }> {
  const { workflowId, runId } = Context.current().info.workflowExecution ?? { workflowId: '', runId: '' }
  const handle = client.workflow.getHandle(workflowId, runId)
  const length = async (): Promise<number> => (await handle.describe()).historyLength
  const before = await length()
  const watch = async (): Promise<void> => {
    while ((await length()) === before) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return { reported: watch() }
}

const worker = await Worker.create({
  connection,
  taskQueue: config.temporal.taskQueue,
  activities: withKillPoints(activities, { kill, group: 'activity', whenReported }),
  workflowBundle: { codePath: config.workflowBundle ?? '' },
  maxCachedWorkflows: 50,
  // No task waits ten seconds for the queue of a worker that is gone. Without a cache a workflow can be evicted amid a step.
  stickyQueueScheduleToStartTimeout: '1 second',
  shutdownGraceTime: '35 seconds',
})
const running = worker.run()
process.send?.('ready')
await running
