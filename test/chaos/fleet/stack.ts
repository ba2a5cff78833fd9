import { fork } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { link, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker'
import { openDatabase } from '../../../src/db/connection.ts'
import { migrate } from '../../../src/db/migrate.ts'
import { runProgram } from './program.ts'
import type { Program } from './program.ts'
import { startProxy } from './proxy.ts'
import type { Proxy } from './proxy.ts'
import { killablePostgres, killableTemporal } from './servers.ts'
import type { Server } from './servers.ts'

/** What stands between a program and what it talks to. */
export interface Links {
  readonly postgres: Proxy
  readonly temporal: Proxy
  readonly stripe: Proxy
}

/** A whole installation of processes, each of which may be killed but Stripe. */
export interface Stack {
  readonly apiUrl: string
  readonly sandboxUrl: string
  readonly postgres: Server
  readonly temporal: Server
  readonly api: Program
  readonly workers: readonly Program[]
  /** By the program's name. */
  readonly links: ReadonlyMap<string, Links>
  /** What every process wrote, and nothing else. */
  readonly logFolder: string
  /** What seals the stored secrets; it has to show nowhere. */
  readonly masterKey: string
  readonly stop: () => Promise<void>
}

const MUTE_MS = 60_000

interface StackOptions {
  readonly folder: string
  readonly workers: number
  /** File with the bundled workflows; bundled anew where left out. */
  readonly bundle?: string
  /** Told of programs that ended without being killed. */
  readonly onEnd: (name: string, how: string, wasReady: boolean) => void
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const { folder } = options
  const masterKey = randomBytes(32).toString('hex')
  const logFolder = join(folder, 'logs')
  await mkdir(logFolder, { recursive: true })
  const [postgres, temporal, sandbox, bundle] = await Promise.all([
    killablePostgres(join(folder, 'postgres')),
    killableTemporal(join(folder, 'temporal'), {
      muteMs: MUTE_MS,
      onMute: () => options.onEnd('temporal', 'it answered nothing, and is started anew', false),
    }),
    startStripe(logFolder),
    options.bundle ?? bundleInto(join(folder, 'workflow-bundle.cjs')),
  ])
  const db = openDatabase({ connectionString: postgres.url(), maxConnections: 1 })
  await migrate(db)
  await db.destroy()

  // These log beside their data, which holds what no log may.
  for (const name of ['postgres', 'temporal'])
    await link(join(folder, name, `${name}.log`), join(logFolder, `${name}.log`))

  const links = new Map<string, Links>()
  const front = await startProxy(0)
  const url = `http://127.0.0.1:${front.port}`
  const start = async (name: string, entry: string): Promise<Program> => {
    const between = {
      postgres: await postgres.proxyFor(),
      temporal: await temporal.proxyFor(),
      stripe: await startProxy(sandbox.port),
    }
    links.set(name, between)
    const databaseUrl = new URL(postgres.url())
    databaseUrl.port = String(between.postgres.port)
    return runProgram({
      name,
      entry,
      logFile: join(logFolder, `${name}.log`),
      killsFile: join(folder, 'kills.jsonl'),
      onEnd: (how, wasReady) => options.onEnd(name, how, wasReady),
      env: () => ({
        HOST: '127.0.0.1',
        PORT: String(entry === 'server.ts' ? anotherPort(front) : 1),
        PUBLIC_URL: url,
        DATABASE_URL: databaseUrl.href,
        TEMPORAL_ADDRESS: `127.0.0.1:${between.temporal.port}`,
        STRIPE_API_BASE: `http://127.0.0.1:${between.stripe.port}`,
        PERENNIAL_MASTER_KEY: masterKey,
        WORKFLOW_BUNDLE: bundle,
        LOG_LEVEL: 'info',
      }),
    })
  }
  const api = await start('api', 'server.ts')
  const workers: Program[] = []
  for (let n = 1; n <= options.workers; n++) workers.push(await start(`worker-${n}`, 'worker.ts'))
  await Promise.all([api, ...workers].map(async (program) => await program.ready()))
  return {
    apiUrl: url,
    sandboxUrl: `http://127.0.0.1:${sandbox.port}`,
    postgres,
    temporal,
    api,
    workers,
    links,
    logFolder,
    masterKey,
    async stop() {
      await Promise.all([api, ...workers].map(async (program) => await program.stop()))
      await front.close()
      for (const { stripe } of links.values()) await stripe.close()
      await Promise.all([postgres.stop(), temporal.stop(), sandbox.stop()])
    },
  }
}

/**
 * Where the API listens this time: below the ports that the system gives to connections, which may take one that is free now
 * until the API has started. What is in front of it leads there.
 */
function anotherPort(front: Proxy): number {
  const port = randomInt(10_000, 30_000)
  front.leadTo(port)
  return port
}

async function bundleInto(file: string): Promise<string> {
  const workflowsPath = fileURLToPath(new URL('../../../src/workflows/index.ts', import.meta.url))
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') })
  await writeFile(file, code)
  return file
}

interface Stripe {
  readonly port: number
  readonly stop: () => Promise<void>
}

async function startStripe(logFolder: string): Promise<Stripe> {
  const log = openSync(join(logFolder, 'stripe.log'), 'a')
  const entry = fileURLToPath(new URL('sandbox-process.ts', import.meta.url))
  const child = fork(entry, [], { execArgv: ['--import', 'tsx'], stdio: ['ignore', log, log, 'ipc'] })
  const [{ port }] = (await once(child, 'message')) as [{ readonly port: number }]
  const ended = once(child, 'exit')
  return {
    port,
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
