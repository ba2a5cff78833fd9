import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A worker process that is started again whenever it dies, as a process manager would. */
export interface SupervisedWorker {
  readonly taskQueue: string
  /** Waits until the worker runs and will be killed at the point; what is returned settles when it has died there. */
  readonly arm: (point: string) => Promise<{ readonly died: Promise<void> }>
  /** It stands still, as on a machine that does, or goes on. */
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT') => void
  /** Waits until it stops: what it does it ends, and nothing more is begun. */
  readonly tellToStop: () => Promise<void>
  /** After that. */
  readonly startAgain: () => Promise<void>
  /** How often it was started. */
  readonly starts: () => number
  readonly stop: () => Promise<void>
}

const entry = fileURLToPath(new URL('worker-with-kill-point.ts', import.meta.url))

interface Running {
  readonly child: ChildProcess
  readonly ready: Promise<void>
  readonly ended: Promise<void>
}

function startWorker(env: Readonly<Record<string, string>>): Running {
  const child = fork(entry, [], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()))
  return { child, ended, ready: answer(child, 'ready') }
}

async function answer(child: ChildProcess, expected: string): Promise<void> {
  for (;;) {
    const [message] = (await once(child, 'message')) as readonly unknown[]
    if (message === expected) return
  }
}

async function killed(child: ChildProcess, ended: Promise<void>): Promise<void> {
  await ended
  if (child.signalCode !== 'SIGKILL') throw new Error(`the worker ended with ${child.exitCode}`)
}

export function superviseWorker(env: Readonly<Record<string, string>>): SupervisedWorker {
  let starts = 0
  let isStopping = false
  const start = (): Running => {
    starts += 1
    const running = startWorker(env)
    void startAgainAfter(running)
    return running
  }
  const startAgainAfter = async ({ ended }: Running): Promise<void> => {
    await ended
    if (!isStopping) current = start()
  }
  let current = start()
  return {
    taskQueue: env['TEMPORAL_TASK_QUEUE'] ?? '',
    async arm(point) {
      const { child, ready, ended } = current
      await ready
      child.send(point)
      await answer(child, 'armed')
      const died = killed(child, ended)
      // Whoever waits for it hears of a failure; nobody has to.
      died.catch(() => {})
      return { died }
    },
    signal: (signal) => void current.child.kill(signal),
    async tellToStop() {
      await current.ready
      current.child.kill('SIGTERM')
      await answer(current.child, 'stopping')
    },
    async startAgain() {
      const { child, ended } = current
      child.kill('SIGKILL')
      await ended
    },
    starts: () => starts,
    async stop() {
      isStopping = true
      current.child.kill('SIGKILL')
      await current.ended
    },
  }
}
