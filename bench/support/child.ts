import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A process of TypeScript beside the benchmark, that told its port. */
export interface BenchChild {
  readonly port: number
  readonly pid: number
  /** Resolves when it has gone. */
  readonly stop: () => Promise<void>
}

/** Starts a file of this folder as a process and waits until it says `{ port }`; it ends when we do. */
export async function startBenchChild(
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<BenchChild> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
    env: { ...process.env, ...env, NODE_ENV: 'production' },
    execArgv: ['--import', 'tsx'],
  })
  const message: unknown = await Promise.race([
    once(child, 'message').then(([first]) => first as unknown),
    once(child, 'exit').then(() => null),
  ])
  if (message === null || child.pid === undefined) throw new Error(`${file} did not start`)
  const gone = once(child, 'exit')
  const stop = async (): Promise<void> => {
    if (child.connected) child.disconnect()
    await gone
  }
  return { port: (message as { port: number }).port, pid: child.pid, stop }
}
