import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '@temporalio/client'
import { CliProblem } from '../cli/problem.ts'
import { lastLines, startChild } from './child.ts'
import type { Child } from './child.ts'
import { freePort, portNear } from './ports.ts'
import { searchAttributes } from './search-attributes.ts'
import { temporalBinary } from './temporal-binary.ts'

export interface TemporalOptions {
  /** Holds the server's state, log and pid. */
  readonly folder: string
  /** Whether workflows survive a restart of the server. */
  readonly persistent: boolean
  /** With the web UI. */
  readonly ui: boolean
  /** Used if free, so that links to the UI stay valid from start to start. */
  readonly preferredPorts?: { readonly grpc: number; readonly ui: number }
  /** A server that runs already (TEMPORAL_ADDRESS): then nothing is started. */
  readonly existingAddress?: string | undefined
  /** Settings of the server beside its defaults. */
  readonly dynamicConfig?: Readonly<Record<string, number | boolean>>
  readonly onProgress?: (message: string) => void
}

/** A step goes straight to the worker that asks for it, as in production (docs/temporal.yml). */
const usualConfig = { 'system.enableActivityEagerExecution': true } as const

export interface RunningTemporal {
  /** host:port of the gRPC frontend. */
  readonly address: string
  readonly uiUrl: string | null
  readonly child: Child | null
  readonly stop: () => Promise<void>
}

/** Starts Temporal's dev server on loopback and waits until it serves, or hands back the one that runs already. */
export async function startTemporal(options: TemporalOptions): Promise<RunningTemporal> {
  if (options.existingAddress !== undefined) {
    await needAnswer(options.existingAddress)
    return { address: options.existingAddress, uiUrl: null, child: null, stop: async () => {} }
  }
  const binary = await temporalBinary(
    options.onProgress === undefined ? {} : { onProgress: options.onProgress },
  )
  const folder = resolve(options.folder)
  await mkdir(folder, { recursive: true })
  for (let attempt = 1; ; attempt += 1) {
    const running = await tryStart(binary, folder, options)
    if (running !== null) return running
    if (attempt === 3) {
      const logFile = join(folder, 'temporal.log')
      throw new CliProblem({
        what: 'Temporal did not start',
        why: await lastLines(logFile),
        next: `read ${logFile}, or set TEMPORAL_ADDRESS to a Temporal that runs already`,
      })
    }
  }
}

const ANSWER_TIMEOUT_MS = 5_000

/** Told here: API and worker would wait for it, a minute long and without a word. */
async function needAnswer(address: string): Promise<void> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: ANSWER_TIMEOUT_MS })
    await connection.close()
  } catch (error) {
    throw new CliProblem(
      {
        what: `Temporal does not answer at ${address}`,
        why: error instanceof Error ? error.message : String(error),
        next: 'correct TEMPORAL_ADDRESS (host:port), or unset it to have a Temporal started here',
      },
      error,
    )
  }
}

async function tryStart(
  binary: string,
  folder: string,
  options: TemporalOptions,
): Promise<RunningTemporal | null> {
  const grpc =
    options.preferredPorts === undefined ? await freePort() : await portNear(options.preferredPorts.grpc)
  const ui =
    options.preferredPorts === undefined ? await freePort() : await portNear(options.preferredPorts.ui)
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(grpc), '--log-level', 'warn']
  args.push(...(options.ui ? ['--ui-port', String(ui)] : ['--headless']))
  if (options.persistent) args.push('--db-filename', join(folder, 'temporal.sqlite'))
  for (const [name, type] of Object.entries(searchAttributes))
    args.push('--search-attribute', `${name}=${type}`)
  for (const [key, value] of Object.entries({ ...usualConfig, ...options.dynamicConfig }))
    args.push('--dynamic-config-value', `${key}=${value}`)
  const child = await startChild({
    name: 'Temporal',
    command: binary,
    args,
    cwd: folder,
    logFile: join(folder, 'temporal.log'),
    recordFile: join(folder, 'temporal.pid.json'),
  })
  const address = `127.0.0.1:${grpc}`
  if (!(await becomesHealthy(child, address))) return null
  return {
    address,
    uiUrl: options.ui ? `http://127.0.0.1:${ui}` : null,
    child,
    stop: async () => await child.stop(5_000),
  }
}

async function becomesHealthy(child: Child, address: string): Promise<boolean> {
  const deadline = Date.now() + 60_000
  while (!child.hasExited() && Date.now() < deadline) {
    if (await isServing(address)) return true
    await delay(100)
  }
  await child.stop(1_000)
  return false
}

/** Whether the server answers and its default namespace is there, which the dev server creates after it listens. */
export async function isServing(address: string): Promise<boolean> {
  let connection: Connection | undefined
  try {
    connection = await Connection.connect({ address, connectTimeout: 1_000 })
    const { workflowService } = connection
    await connection.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, async () => {
      await workflowService.describeNamespace({ namespace: 'default' })
      await workflowService.listWorkflowExecutions({
        namespace: 'default',
        pageSize: 1,
        query: 'CustomerKey = "none"',
      })
    })
    return true
  } catch {
    return false
  } finally {
    await connection?.close()
  }
}
