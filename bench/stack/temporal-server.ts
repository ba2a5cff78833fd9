import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '@temporalio/client'
import { msToTs } from '@temporalio/common/lib/time.js'
import { lastLines, startChild } from '../../src/local/child.ts'
import type { Child } from '../../src/local/child.ts'
import { isPortFree } from '../../src/local/ports.ts'
import { runToEnd } from '../../src/local/programs.ts'
import { searchAttributes } from '../../src/local/search-attributes.ts'
import type { TemporalServerBinaries } from '../../src/local/temporal-server-binaries.ts'
import { DATABASES, serverConfig } from './temporal-config.ts'
import type { TemporalPorts } from './temporal-config.ts'

export interface TemporalServerOptions {
  readonly folder: string
  readonly binaries: TemporalServerBinaries
  /** Of PostgreSQL; its databases are made here. */
  readonly databaseUrl: string
  readonly shards: number
}

/** A server process that can be stopped and started again on the same ports. */
export interface TemporalProcess {
  readonly address: string
  readonly pid: () => number
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Makes Temporal's tables: two databases, one of them for visibility. */
export async function createTemporalSchema({ binaries, databaseUrl }: TemporalServerOptions): Promise<void> {
  const { hostname, port, username, password } = new URL(databaseUrl)
  for (const [schema, database] of [
    ['temporal', DATABASES.main],
    ['visibility', DATABASES.visibility],
  ] as const) {
    const tool = async (...args: readonly string[]): Promise<void> => {
      const env = {
        ...process.env,
        SQL_HOST: hostname,
        SQL_PORT: port,
        SQL_USER: decodeURIComponent(username),
        SQL_PASSWORD: decodeURIComponent(password),
        SQL_DATABASE: database,
        SQL_PLUGIN: 'postgres12_pgx',
      }
      const { ok, reason } = await runToEnd(binaries.sql, args, { env, timeoutMs: 60_000 })
      if (!ok) throw new Error(`Temporal's schema tool failed at ${args.join(' ')}: ${reason}`)
    }
    await tool('create-database')
    await tool('setup-schema', '-v', '0.0')
    await tool('update-schema', '--schema-name', `postgresql/v12/${schema}`)
  }
}

/** One process with all services; further ones of the same databases join the first. */
export async function temporalProcess(
  options: TemporalServerOptions,
  name: string,
): Promise<TemporalProcess> {
  const folder = join(options.folder, name)
  await mkdir(join(folder, 'config'), { recursive: true })
  const ports = await freePorts()
  const config = serverConfig({ ...options, ports })
  // YAML takes JSON.
  await writeFile(join(folder, 'config', 'development.yaml'), JSON.stringify(config, null, 2), {
    mode: 0o600,
  })
  const address = `127.0.0.1:${ports.frontend}`
  let child: Child | null = null
  return {
    address,
    pid: () => child?.pid ?? 0,
    async start() {
      child = await startChild({
        name: 'Temporal',
        command: options.binaries.server,
        args: ['--root', folder, '--allow-no-auth', 'start'],
        env: { GOGC: '400' },
        logFile: join(folder, 'temporal.log'),
        recordFile: join(folder, 'temporal.pid.json'),
      })
      await serves(address, child)
    },
    stop: async () => await child?.stop(30_000),
  }
}

async function serves(address: string, child: Child): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!child.hasExited() && Date.now() < deadline) {
    if (await answers(address)) return
    await delay(100)
  }
  throw new Error(`Temporal does not serve: ${await lastLines(child.logFile)}`)
}

async function answers(address: string): Promise<boolean> {
  return await withConnection(address, async ({ workflowService }) => {
    await workflowService.listNamespaces({})
    return true
  }).catch(() => false)
}

async function withConnection<T>(address: string, use: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address, connectTimeout: 2_000 })
  try {
    return await use(connection)
  } finally {
    await connection.close()
  }
}

const attributeTypes = { Keyword: 2, Datetime: 6 } as const

/** The namespace and what its workflows can be searched by; waits until the server knows them. */
export async function registerNamespace(address: string): Promise<void> {
  const namespace = 'default'
  await withConnection(address, async (connection) => {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    })
    for (let left = 300; ; left -= 1) {
      try {
        await connection.operatorService.addSearchAttributes({
          namespace,
          searchAttributes: Object.fromEntries(
            Object.entries(searchAttributes).map(([name, type]) => [name, attributeTypes[type]]),
          ),
        })
        await connection.workflowService.listWorkflowExecutions({ namespace, query: "CustomerKey = 'none'" })
        return
      } catch (error) {
        if (left === 0) throw error
        await delay(200)
      }
    }
  })
}

async function freePorts(): Promise<TemporalPorts> {
  const taken = new Set<number>()
  const next = async (): Promise<number> => {
    for (;;) {
      const port = 20_000 + Math.floor(Math.random() * 12_000)
      if (taken.has(port) || !(await isPortFree(port, '127.0.0.1'))) continue
      taken.add(port)
      return port
    }
  }
  return {
    frontend: await next(),
    frontendHttp: await next(),
    frontendMembership: await next(),
    history: await next(),
    historyMembership: await next(),
    matching: await next(),
    matchingMembership: await next(),
    worker: await next(),
    workerMembership: await next(),
  }
}
