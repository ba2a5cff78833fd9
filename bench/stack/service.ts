import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { lastLines, startChild } from '../../src/local/child.ts'
import type { Child } from '../../src/local/child.ts'

export interface ServiceOptions {
  readonly name: string
  /** From the project's folder. */
  readonly program: string
  readonly args?: readonly string[]
  /** URLs of what Node loads before the program and in each thread: JavaScript. */
  readonly preload?: readonly string[]
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether it can do its work by now. */
  readonly isReady: () => Promise<boolean>
}

/** A process of ours that can be stopped, as an operator stops it, and started again. */
export interface Service {
  readonly name: string
  readonly logFile: string
  readonly pid: () => number
  /** Starts it and waits until it is ready. */
  readonly start: () => Promise<void>
  /** SIGTERM, and waits; answers how it ended: `exit code 0` is as it should be. */
  readonly stop: () => Promise<string>
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const READY_WITHIN_MS = 120_000
const STOPPED_WITHIN_MS = 60_000

export function service(options: ServiceOptions): Service {
  let child: Child | null = null
  const { args = [], preload = [] } = options
  const logFile = join(options.folder, `${options.name}.log`)
  return {
    name: options.name,
    logFile,
    pid: () => child?.pid ?? 0,
    async start() {
      child = await startChild({
        name: options.name,
        command: process.execPath,
        args: [
          ...[tsx, ...preload].flatMap((file) => ['--import', file]),
          join(root, options.program),
          ...args,
        ],
        cwd: root,
        env: { NODE_ENV: 'production', ...options.env },
        logFile,
        recordFile: join(options.folder, `${options.name}.pid.json`),
      })
      const deadline = Date.now() + READY_WITHIN_MS
      while (!(await options.isReady())) {
        if (child.hasExited() || Date.now() > deadline)
          throw new Error(`${options.name} is not ready: ${await lastLines(logFile)}`)
        await delay(50)
      }
    },
    async stop() {
      await child?.stop(STOPPED_WITHIN_MS)
      return (await child?.exited) ?? 'not started'
    },
  }
}

/** Whether something answers there, and well. */
export async function isAnswered(url: string): Promise<boolean> {
  return await fetch(url, { signal: AbortSignal.timeout(5_000) }).then(
    ({ ok }) => ok,
    () => false,
  )
}
