import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { endRecordedProcess, sendSignal, writeProcessRecord } from './process-record.ts'

export interface ChildOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Whom it runs as, where that is not ourselves. */
  readonly uid?: number
  readonly gid?: number
  /** Everything it prints goes here. */
  readonly logFile: string
  /** Where its pid is remembered for a start after a crash. */
  readonly recordFile: string
  readonly stopSignal?: NodeJS.Signals
}

export interface Child {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  /** Settles when it has ended, with its exit code or the name of the signal. Never rejects. */
  readonly exited: Promise<string>
  readonly hasExited: () => boolean
  /** Asks it to stop and waits; after the grace it is killed. */
  readonly stop: (graceMs?: number) => Promise<void>
}

/**
 * Starts a process that outlives Ctrl-C (which a terminal sends to the whole group: we decide the order of stopping)
 * but not us: a watchdog ends it when this process is gone, however it went.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  await endRecordedProcess(options.recordFile, options.stopSignal)
  mkdirSync(dirname(options.logFile), { recursive: true })
  const log = openSync(options.logFile, 'a')
  const child = spawn(options.command, options.args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid ?? options.uid }),
  })
  closeSync(log)
  const exited = exitOf(child)
  const pid = await started(child)
  const signal = options.stopSignal ?? 'SIGTERM'
  const watchdog = startWatchdog(pid, signal)
  let ended = false
  const cleanUp = async (): Promise<void> => {
    await exited
    ended = true
    watchdog.kill('SIGKILL')
    await rm(options.recordFile, { force: true }).catch(() => {})
  }
  void cleanUp()
  await writeProcessRecord(options.recordFile, pid)
  const stop = async (graceMs = 20_000): Promise<void> => {
    if (ended) return
    sendSignal(pid, signal)
    const first = await Promise.race([exited, delay(graceMs, 'late', { ref: false })])
    if (first === 'late') sendSignal(pid, 'SIGKILL')
    await exited
  }
  return { name: options.name, pid, logFile: options.logFile, exited, hasExited: () => ended, stop }
}

async function exitOf(child: ChildProcess): Promise<string> {
  return await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
}

async function started(child: ChildProcess): Promise<number> {
  if (child.pid !== undefined) return child.pid
  return await new Promise((_resolve, reject) => child.once('error', reject))
}

/** A shell that blocks on a pipe from us: its end means that we are gone, and then it ends the child. */
function startWatchdog(pid: number, signal: NodeJS.Signals): ChildProcess {
  const script = 'trap "" INT TERM HUP; read -r _; kill -s "$2" "$1"'
  const watchdog = spawn('/bin/sh', ['-c', script, 'perennial-watchdog', String(pid), signal.slice(3)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.on('error', () => {})
  watchdog.unref()
  const pipe = watchdog.stdin as (NodeJS.WritableStream & { unref?: () => void }) | null
  pipe?.on('error', () => {})
  pipe?.unref?.()
  return watchdog
}

/** The last lines a process printed: what a person needs when it did not start. */
export async function lastLines(logFile: string, count = 8): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '')
  return text.trim().split('\n').slice(-count).join('\n')
}
