import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client, DatabaseError } from 'pg'
import { CliProblem } from '../cli/problem.ts'
import { lastLines, startChild } from './child.ts'
import type { Child } from './child.ts'
import { freePort } from './ports.ts'
import { postgresBinaries } from './postgres-binaries.ts'
import { postgresUser } from './postgres-user.ts'
import type { RunAs } from './postgres-user.ts'
import { birthOf, endRecordedProcess } from './process-record.ts'

const run = promisify(execFile)

export interface PostgresOptions {
  /** Holds the cluster, its password, its log and its pid; kept from start to start. */
  readonly folder: string
  /** `durable` survives a power cut; `fast` is for tests. */
  readonly durability: 'durable' | 'fast'
  /** Created when missing. */
  readonly database: string
  /** A server that runs already (DATABASE_URL): then nothing is started. */
  readonly existingUrl?: string | undefined
  /** Where to try to listen; a free port of loopback if left out. */
  readonly newPort?: () => Promise<number>
}

export interface RunningPostgres {
  readonly url: string
  /** Null when the server is not ours. */
  readonly child: Child | null
  readonly stop: () => Promise<void>
}

const durabilityFlags = {
  durable: [],
  fast: [
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    'wal_level=minimal',
    'max_wal_senders=0',
  ],
} as const

/** Starts PostgreSQL from the npm packages on a free loopback port, or hands back the one that runs already. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  if (options.existingUrl !== undefined)
    return { url: options.existingUrl, child: null, stop: async () => {} }
  const folder = resolve(options.folder)
  const data = join(folder, 'data')
  const binaries = await postgresBinaries()
  await mkdir(folder, { recursive: true })
  const runAs = postgresUser(data, [binaries.postgres, data])
  const record = join(folder, 'postgres.pid.json')
  await endRecordedProcess(record, 'SIGINT')
  const password = await initialise({ folder, data, initdb: binaries.initdb, runAs })
  await clearStaleLock(data)
  for (let attempt = 1; ; attempt += 1) {
    const port = await (options.newPort ?? freePort)()
    const settings = [
      `port=${port}`,
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'max_connections=200',
      'timezone=UTC',
      'log_timezone=UTC',
      ...durabilityFlags[options.durability],
    ]
    const [command, ...args] = [
      ...runAs.prefix,
      binaries.postgres,
      '-D',
      data,
      ...settings.flatMap((flag) => ['-c', flag]),
    ]
    const logFile = join(folder, 'postgres.log')
    const child = await startChild({
      name: 'PostgreSQL',
      command: command ?? binaries.postgres,
      args,
      cwd: folder,
      env: { LC_ALL: 'C', TZ: 'UTC' },
      ...runAs.ids,
      logFile,
      recordFile: record,
      // Fast shutdown: roll back and write a checkpoint. SIGTERM would wait for every client to leave.
      stopSignal: 'SIGINT',
    })
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/${options.database}`
    if (await becomesReady(child, { data, port, url, database: options.database }))
      return { url, child, stop: async () => await child.stop() }
    if (attempt === 3) {
      throw new CliProblem({
        what: 'PostgreSQL did not start',
        why: await lastLines(logFile),
        next: `read ${logFile}, or set DATABASE_URL to a PostgreSQL that runs already`,
      })
    }
  }
}

interface Initialise {
  readonly folder: string
  readonly data: string
  readonly initdb: string
  readonly runAs: RunAs
}

/** Creates the cluster on the first start; a half-made one (a crash during it) is made again. Returns the password. */
async function initialise({ folder, data, initdb, runAs }: Initialise): Promise<string> {
  const passwordFile = join(folder, 'postgres.password')
  // Written last: its presence says that the cluster is whole.
  const existing = await readFile(passwordFile, 'utf8').catch(() => null)
  if (existing !== null) return existing.trim()
  await rm(data, { recursive: true, force: true })
  await mkdir(data, { mode: 0o700 })
  const password = randomBytes(18).toString('base64url')
  const draft = join(folder, 'initdb.password')
  await writeFile(draft, password, { mode: 0o600 })
  if (runAs.account !== undefined) {
    await chown(data, runAs.account.uid, runAs.account.gid)
    await chown(draft, runAs.account.uid, runAs.account.gid)
  }
  const flags = [
    `--pgdata=${data}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    `--pwfile=${draft}`,
    '--encoding=UTF8',
    '--locale=C',
  ]
  const [command, ...args] = [...runAs.prefix, initdb, ...flags]
  try {
    await run(command ?? initdb, args, { cwd: folder, env: { ...process.env, LC_ALL: 'C' }, ...runAs.ids })
  } catch (error) {
    throw new CliProblem(
      {
        what: 'PostgreSQL could not create its data folder',
        why: error instanceof Error ? error.message : String(error),
        next: `check that ${folder} is writable, or set DATABASE_URL to a PostgreSQL that runs already`,
      },
      error,
    )
  } finally {
    await rm(draft, { force: true })
  }
  await writeFile(passwordFile, password, { mode: 0o600 })
  return password
}

/** A machine that crashed leaves postmaster.pid; another process may carry that pid now, and PostgreSQL would refuse. */
async function clearStaleLock(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid')
  const text = await readFile(file, 'utf8').catch(() => null)
  if (text === null) return
  const pid = Number(text.split('\n')[0])
  const isAlive = Number.isInteger(pid) && pid > 0 && (await birthOf(pid)) !== null
  if (isAlive && (await isPostgres(pid))) {
    throw new CliProblem({
      what: `${data} is in use`,
      why: `a PostgreSQL with pid ${pid} runs on it`,
      next: 'stop the other start of Perennial, or give this one its own --data-dir',
    })
  }
  await rm(file, { force: true })
}

async function isPostgres(pid: number): Promise<boolean> {
  const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]).catch(async () => ({
    stdout: await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
  }))
  return stdout.includes('postgres')
}

interface Starting {
  readonly data: string
  readonly port: number
  readonly url: string
  readonly database: string
}

async function becomesReady(child: Child, { data, port, url, database }: Starting): Promise<boolean> {
  const deadline = Date.now() + 60_000
  while (!child.hasExited() && Date.now() < deadline) {
    if ((await servesOn(data, port)) && (await ensureDatabase(url, database))) return true
    await delay(50)
  }
  await child.stop()
  return false
}

/**
 * Whether the server of this folder takes connections on the port, as its own file says (line 4 and 8, as pg_ctl reads them):
 * whoever answers there may be another, who took the port after it was found free.
 */
async function servesOn(data: string, port: number): Promise<boolean> {
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  return lines[3] === String(port) && lines[7]?.trim() === 'ready'
}

/** False while the server is still starting up. */
async function ensureDatabase(url: string, database: string): Promise<boolean> {
  const admin = new URL(url)
  admin.pathname = '/postgres'
  const client = new Client({ connectionString: admin.href })
  client.on('error', () => {})
  try {
    await client.connect()
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database])
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`)
    return true
  } catch (error) {
    // 57P03: the database system is starting up.
    if (error instanceof DatabaseError && error.code !== '57P03') throw error
    return false
  } finally {
    await client.end().catch(() => {})
  }
}
