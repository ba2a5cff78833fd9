import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { databaseProblem } from '../cli/database-problem.ts'
import { CliProblem } from '../cli/problem.ts'
import type { LocalSettings } from '../config.ts'
import { openDatabase } from '../db/connection.ts'
import { migrate } from '../db/migrate.ts'
import { startSandbox } from '../sandbox/server.ts'
import { lastLines, startChild } from './child.ts'
import type { Child } from './child.ts'
import { localMasterKey } from './data-folder.ts'
import type { DataFolder } from './data-folder.ts'
import { startPostgres } from './postgres.ts'
import type { Progress } from './progress.ts'
import { startTemporal } from './temporal.ts'
import type { RunningTemporal } from './temporal.ts'

export interface StackOptions {
  readonly folder: DataFolder
  readonly apiPort: number
  readonly sandboxPort: number
  /** What runs already is used instead of started. */
  readonly settings: LocalSettings
  /** Prefer Temporal's usual ports, so that links stay the same from start to start. */
  readonly usualPorts: boolean
  readonly progress: Progress
}

/** Addresses of a running installation; kept in a file for the command line. */
export interface Instance {
  readonly apiUrl: string
  readonly databaseUrl: string
  readonly temporalAddress: string
  readonly temporalNamespace: string
  readonly temporalUiUrl: string | null
  /** Where Stripe answers: the sandbox, or Stripe itself. */
  readonly stripeUrl: string
  readonly stripeApiKey: string
  readonly isSandbox: boolean
}

export interface Stack {
  readonly instance: Instance
  /** Settles with the first part that ended by itself. */
  readonly failed: Promise<CliProblem>
  readonly stop: () => Promise<void>
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Starts everything in order and stops what it started if one part does not come up. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    // Last started, first stopped: the worker lets go of its transactions before PostgreSQL goes.
    for (const one of stops.splice(0).reverse()) await one()
  }
  try {
    return await startParts(options, stops, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

type Stops = (() => Promise<void>)[]

async function startParts(options: StackOptions, stops: Stops, stop: () => Promise<void>): Promise<Stack> {
  const { folder, progress, settings } = options
  const progressOfTemporal = { tell: (_text: string): void => {} }
  const temporalStarting = startTemporalPart(options, stops, (text) => progressOfTemporal.tell(text))
  // Awaited below; until then a failure of it must not end the process.
  temporalStarting.catch(() => {})
  const postgres = await progress.step('PostgreSQL', async () => {
    const server = await startPostgres({
      folder: folder.postgres,
      durability: 'durable',
      database: 'perennial',
      existingUrl: settings.databaseUrl,
    })
    stops.push(server.stop)
    return server
  })
  await progress.step('Schema of the database', async () => await migrateDatabase(postgres.url))
  const stripeUrl = await startStripePart(options, stops)
  const temporal = await progress.step('Temporal', async (detail) => {
    progressOfTemporal.tell = detail
    return await temporalStarting
  })
  const instance: Instance = {
    apiUrl: `http://127.0.0.1:${options.apiPort}`,
    databaseUrl: postgres.url,
    temporalAddress: temporal.address,
    temporalNamespace: settings.temporalNamespace,
    temporalUiUrl: temporal.uiUrl,
    stripeUrl: stripeUrl.url,
    stripeApiKey: settings.stripeApiKey ?? 'sk_test_sandbox',
    isSandbox: stripeUrl.isSandbox,
  }
  const children = await startProcesses(options, instance, stops)
  await writeFile(folder.instanceFile, JSON.stringify(instance, null, 2), { mode: 0o600 })
  const watched = [postgres.child, temporal.child, ...children].filter((child) => child !== null)
  return { instance, stop, failed: Promise.race(watched.map(async (child) => await endOf(child))) }
}

type Tell = (text: string) => void

async function startTemporalPart(options: StackOptions, stops: Stops, tell: Tell): Promise<RunningTemporal> {
  const server = await startTemporal({
    folder: options.folder.temporal,
    persistent: true,
    ui: true,
    ...(options.usualPorts ? { preferredPorts: { grpc: 7233, ui: 8233 } } : {}),
    existingAddress: options.settings.temporalAddress,
    onProgress: tell,
  })
  stops.push(server.stop)
  return server
}

async function migrateDatabase(url: string): Promise<void> {
  const db = openDatabase({ connectionString: url, maxConnections: 1, applicationName: 'perennial-migrate' })
  try {
    await migrate(db)
  } catch (error) {
    throw databaseProblem(error)
  } finally {
    await db.destroy()
  }
}

interface StripePart {
  readonly url: string
  readonly isSandbox: boolean
}

async function startStripePart(options: StackOptions, stops: Stops): Promise<StripePart> {
  const { settings, progress, folder } = options
  if (settings.stripeApiBase !== undefined) return { url: settings.stripeApiBase, isSandbox: false }
  if (settings.stripeApiKey !== undefined) return { url: 'https://api.stripe.com', isSandbox: false }
  return await progress.step('Stripe sandbox', async () => {
    const sandbox = await startSandbox({ port: options.sandboxPort, dataFile: folder.sandboxFile })
    stops.push(async () => await sandbox.close())
    return { url: `http://127.0.0.1:${options.sandboxPort}`, isSandbox: true }
  })
}

async function startProcesses(
  options: StackOptions,
  instance: Instance,
  stops: Stops,
): Promise<readonly Child[]> {
  const masterKey = options.settings.masterKey ?? (await localMasterKey(options.folder))
  const env = {
    DATABASE_URL: instance.databaseUrl,
    TEMPORAL_ADDRESS: instance.temporalAddress,
    TEMPORAL_NAMESPACE: instance.temporalNamespace,
    STRIPE_API_BASE: instance.stripeUrl === 'https://api.stripe.com' ? undefined : instance.stripeUrl,
    PUBLIC_URL: options.settings.publicUrl,
    PERENNIAL_MASTER_KEY: masterKey,
    HOST: '127.0.0.1',
    // Nobody is in front of it who had to be told.
    SHUTDOWN_DRAIN: '0',
    SHUTDOWN_GRACE: '10',
    PORT: String(options.apiPort),
    // One for both would be taken twice.
    METRICS_PORT: undefined,
  }
  const start = async (name: string, program: string): Promise<Child> => {
    const child = await startChild({
      name,
      command: process.execPath,
      args: ['--import', tsxLoader(), join(root, program)],
      cwd: root,
      env,
      logFile: join(options.folder.logs, `${program.replace(/\.ts$/, '')}.log`),
      recordFile: join(options.folder.records, `${program.replace(/\.ts$/, '')}.pid.json`),
    })
    stops.push(async () => await child.stop())
    return child
  }
  const worker = await start('Worker', 'worker.ts')
  const api = await options.progress.step('API', async () => {
    const child = await start('API', 'server.ts')
    await answers(`${instance.apiUrl}/readyz`, child)
    return child
  })
  return [worker, api]
}

function tsxLoader(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
}

async function answers(url: string, child: Child): Promise<void> {
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline && !child.hasExited()) {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => null)
    if (response?.ok === true) return
    await delay(100)
  }
  throw await problemOf(child, child.hasExited() ? await child.exited : `${url} gave no answer in 60 s`)
}

async function endOf(child: Child): Promise<CliProblem> {
  return await problemOf(child, await child.exited)
}

async function problemOf(child: Child, how: string): Promise<CliProblem> {
  const printed = await lastLines(child.logFile)
  return new CliProblem({
    what: `${child.name} ended (${how})`,
    why: printed === '' ? 'it printed nothing' : printed,
    next: `read ${child.logFile}; then start again: what was stored is kept`,
  })
}
