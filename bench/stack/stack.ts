import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import { bundleWorkflowCode } from '@temporalio/worker'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { migrate } from '../../src/db/migrate.ts'
import { freePort } from '../../src/local/ports.ts'
import { startTemporal } from '../../src/local/temporal.ts'
import { temporalServerBinaries } from '../../src/local/temporal-server-binaries.ts'
import { startTunedPostgres } from './postgres.ts'
import { sandboxService } from './sandbox-service.ts'
import { isAnswered, service } from './service.ts'
import type { Service } from './service.ts'
import { createTemporalSchema, registerNamespace, temporalProcess } from './temporal-server.ts'
import type { TemporalProcess } from './temporal-server.ts'

export interface StackOptions {
  /** Everything is kept in it. */
  readonly folder: string
  readonly apis: number
  readonly workers: number
  /** `server`: Temporal as in production, on PostgreSQL with 512 shards; `dev`: the CLI's server, on SQLite. */
  readonly temporal: 'server' | 'dev'
  /** Where the programs `server` and `sql` are; left out: the cache, built when missing. */
  readonly temporalBinaries?: string | undefined
  readonly env?: Readonly<Record<string, string>>
  readonly workerEnv?: Readonly<Record<string, string>>
  readonly say: (line: string) => void
}

/** The product as it runs in production, every part a process of its own. */
export interface Stack {
  readonly databaseUrl: string
  readonly db: Database
  readonly postgresPid: number
  readonly temporal: TemporalProcess
  readonly client: Client
  readonly sandbox: Service & { readonly url: string }
  readonly apis: readonly (Service & { readonly url: string })[]
  readonly workers: readonly Service[]
  /** A worker more, e.g. on a task queue of its own; not started. */
  readonly worker: (name: string, options: WorkerOptions) => Service
  readonly stop: () => Promise<void>
}

interface WorkerOptions {
  readonly env: Readonly<Record<string, string>>
  readonly program?: string
}

const SHARDS = 512
const TASK_QUEUE = 'perennial'
const COLLECT_GARBAGE = new URL('./collect-garbage.mjs', import.meta.url).href

/** Starts all of it, on loopback and on PostgreSQL of its own; what was started is stopped when a part does not come up. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const stops: (() => Promise<unknown>)[] = []
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).toReversed()) await one()
  }
  try {
    return await startParts(options, stops, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

async function startParts(
  options: StackOptions,
  stops: (() => Promise<unknown>)[],
  stop: () => Promise<void>,
): Promise<Stack> {
  const { folder, say } = options
  const started = async (one: Service): Promise<void> => {
    stops.push(one.stop)
    await one.start()
  }
  await mkdir(folder, { recursive: true })
  say('PostgreSQL')
  const postgres = await startTunedPostgres(join(folder, 'postgres'), 'perennial')
  stops.push(postgres.stop)
  const db = openDatabase({ connectionString: postgres.url, maxConnections: 4 })
  stops.push(async () => await db.destroy())
  await migrate(db)
  const sandbox = await sandboxService('sandbox', folder)
  await started(sandbox)
  say(options.temporal === 'dev' ? 'Temporal (dev server)' : `Temporal (${SHARDS} shards, on PostgreSQL)`)
  const temporal = await startTemporalOf(options, postgres.url)
  stops.push(temporal.stop)
  const connection = Connection.lazy({ address: temporal.address })
  stops.push(async () => await connection.close())
  const client = new Client({ connection })
  const bundle = await bundleWorkflows(folder)
  const common = {
    DATABASE_URL: postgres.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: TASK_QUEUE,
    STRIPE_API_BASE: sandbox.url,
    PERENNIAL_MASTER_KEY: randomBytes(24).toString('hex'),
    WORKFLOW_BUNDLE: bundle,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
    ...options.env,
  }
  const worker = (name: string, { env, program = 'worker.ts' }: WorkerOptions): Service => {
    const own = { ...common, ...env }
    const isReady = async (): Promise<boolean> => await isPolled(client, own.TEMPORAL_TASK_QUEUE, made.pid())
    const made = service({ name, program, preload: [COLLECT_GARBAGE], folder, env: own, isReady })
    return made
  }
  const workers = names('worker', options.workers).map((name) =>
    worker(name, { env: options.workerEnv ?? {} }),
  )
  const apis = await Promise.all(
    names('api', options.apis).map(async (name) => {
      const port = await freePort()
      const url = `http://127.0.0.1:${port}`
      const env = { ...common, PORT: String(port) }
      const isReady = async (): Promise<boolean> => await isAnswered(`${url}/readyz`)
      return { ...service({ name, program: 'server.ts', folder, env, isReady }), url }
    }),
  )
  for (const one of [...workers, ...apis]) {
    say(one.name)
    await started(one)
  }
  return {
    databaseUrl: postgres.url,
    db,
    postgresPid: postgres.child?.pid ?? 0,
    temporal,
    client,
    sandbox,
    apis,
    workers,
    worker,
    stop,
  }
}

const names = (kind: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`)

async function startTemporalOf(options: StackOptions, databaseUrl: string): Promise<TemporalProcess> {
  const folder = join(options.folder, 'temporal')
  if (options.temporal === 'dev') {
    const { address, child, stop } = await startTemporal({ folder, persistent: true, ui: false })
    return { address, pid: () => child?.pid ?? 0, start: async () => {}, stop }
  }
  const binaries = await temporalServerBinaries({ folder: options.temporalBinaries, onProgress: options.say })
  const server = { folder, binaries, databaseUrl, shards: SHARDS }
  await createTemporalSchema(server)
  const process = await temporalProcess(server, 'server-1')
  try {
    await process.start()
    await registerNamespace(process.address)
  } catch (error) {
    await process.stop()
    throw error
  }
  return process
}

async function bundleWorkflows(folder: string): Promise<string> {
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url))
  const { code } = await bundleWorkflowCode({ workflowsPath })
  const file = join(folder, 'workflow-bundle.cjs')
  await writeFile(file, code)
  return file
}

/** Whether the worker with this process id polls: its identity is its version, then its process id and its host. */
async function isPolled(client: Client, taskQueue: string, pid: number): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: 'default',
    taskQueue: { name: taskQueue },
  })
  return (pollers ?? []).some(({ identity }) => identity?.split(' ').at(-1)?.startsWith(`${pid}@`) === true)
}
