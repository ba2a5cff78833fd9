import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Order, Told } from './orders.ts'

/** One of our processes, started again whenever it ends, as a process manager would. */
export interface Program {
  readonly name: string
  /** Settles when the one that runs now does its work. */
  readonly ready: () => Promise<void>
  /** Has it kill itself at a busy moment. Null: nothing was in flight in time, and it lives. */
  readonly kill: (when: Moment) => Promise<Killed | null>
  /** Tells of a busy moment; null where there was none in time or the process ended meanwhile. */
  readonly whenBusy: (when: Moment) => Promise<InFlight | null>
  /** Moves its clock away from the machine's; what was in flight just then. */
  readonly shiftClock: (ms: number) => Promise<InFlight | null>
  readonly stop: () => Promise<void>
}

export type InFlight = Readonly<Record<string, number>>
export interface Moment {
  readonly afterMs: number
  readonly patienceMs: number
}
export interface Killed {
  /** Settles with the time until the next one was ready, in milliseconds. */
  readonly recovered: Promise<number>
}

export interface ProgramOptions {
  readonly name: string
  /** From the root of the repository. */
  readonly entry: string
  /** Asked at each start. */
  readonly env: () => Readonly<Record<string, string>>
  readonly logFile: string
  /** Where a process notes what was in flight when it killed itself. */
  readonly killsFile: string
  /** Told of an end that was not ordered, and whether it had begun its work: one that had should have lived. */
  readonly onEnd: (how: string, wasReady: boolean) => void
}

const root = fileURLToPath(new URL('../../..', import.meta.url))
const inside = fileURLToPath(new URL('inside.ts', import.meta.url))
const PAUSE_MS = 100
/** A start that takes longer has failed. */
const START_LIMIT_MS = 240_000

interface Run {
  readonly child: ChildProcess
  readonly ready: Promise<void>
  readonly ended: Promise<string>
  readonly hasBegun: () => boolean
}

function start(options: ProgramOptions, shiftMs: number): Run {
  const log = openSync(options.logFile, 'a')
  const child = fork(inside, [], {
    cwd: root,
    execArgv: ['--import', 'tsx'],
    env: {
      ...process.env,
      ...options.env(),
      CHAOS_ENTRY: join(root, options.entry),
      CHAOS_CLOCK_SHIFT: String(shiftMs),
    },
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  let begun = false
  const ready = new Promise<void>((resolve) => {
    child.on('message', (message: Told) => {
      if (message.told !== 'ready') return
      begun = true
      resolve()
    })
  })
  return { child, ready, ended, hasBegun: () => begun }
}

/** Starts it; it is not waited for. */
export function runProgram(options: ProgramOptions): Program {
  let isStopping = false
  let shiftMs = 0
  let orders = 0
  let failures = 0
  /** Kills that a process was ordered and has not answered: two may wait for a busy moment at one time. */
  const ordered = new Map<Run, number>()
  const order = (run: Run, by: 1 | -1): void => void ordered.set(run, (ordered.get(run) ?? 0) + by)
  const isOrdered = (run: Run): boolean => (ordered.get(run) ?? 0) > 0
  const keepRunning = async (run: Run): Promise<void> => {
    const hanging = setTimeout(() => run.child.kill('SIGKILL'), START_LIMIT_MS)
    void run.ready.then(() => clearTimeout(hanging))
    const how = await run.ended
    clearTimeout(hanging)
    if (isStopping) return
    if (!isOrdered(run)) options.onEnd(how, run.hasBegun())
    // A process that ends again and again at its start is not started as often as the machine can.
    failures = isOrdered(run) ? 0 : failures + 1
    await new Promise((resolve) => setTimeout(resolve, Math.min(failures * 250, 5_000)))
    if (!isStopping) begin()
  }
  const begin = (): void => {
    current = start(options, shiftMs)
    void keepRunning(current)
  }
  let current = start(options, shiftMs)
  void keepRunning(current)

  /** The answer, or null where the process ended first. */
  const command = async (given: WithoutId<Order>): Promise<Exclude<Told, { told: 'ready' }> | null> => {
    const run = current
    const id = ++orders
    const answer = new Promise<Exclude<Told, { told: 'ready' }>>((resolve) => {
      const listen = (message: Told): void => {
        if (message.told === 'ready' || message.id !== id) return
        run.child.off('message', listen)
        resolve(message)
      }
      run.child.on('message', listen)
    })
    if (given.order === 'kill') order(run, 1)
    // One that has just died is no error: the answer is that it ended.
    if (run.child.connected) run.child.send({ ...given, id }, () => {})
    const first = await Promise.race([answer, run.ended.then(() => null)])
    if (first !== null && given.order === 'kill') order(run, -1)
    return first
  }
  const ready = async (): Promise<void> => {
    for (;;) {
      const run = current
      // The end first: of one that was ready once, both have settled.
      const isReady = await Promise.race([run.ended.then(() => false), run.ready.then(() => true)])
      if (isReady && run === current) return
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
  return {
    name: options.name,
    ready,
    async kill(when) {
      const answer = await command({ order: 'kill', ...when, file: options.killsFile })
      if (answer !== null) return null
      const diedAt = performance.now()
      return { recovered: ready().then(() => performance.now() - diedAt) }
    },
    async whenBusy(when) {
      const answer = await command({ order: 'watch', ...when, file: options.killsFile })
      return answer?.told === 'busy' ? answer.inFlight : null
    },
    async shiftClock(ms) {
      shiftMs = ms
      return (await command({ order: 'shift', ms }))?.inFlight ?? null
    },
    async stop() {
      isStopping = true
      current.child.kill('SIGTERM')
      const late = setTimeout(() => current.child.kill('SIGKILL'), 20_000)
      await current.ended
      clearTimeout(late)
    },
  }
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never
