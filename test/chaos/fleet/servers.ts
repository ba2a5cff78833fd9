import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { birthOf, sendSignal } from '../../../src/local/process-record.ts'
import { startPostgres } from '../../../src/local/postgres.ts'
import { freePort } from '../../../src/local/ports.ts'
import { isServing, startTemporal } from '../../../src/local/temporal.ts'
import { startProxy } from './proxy.ts'
import type { Proxy } from './proxy.ts'

/** PostgreSQL or Temporal as a process that may be killed; a proxy keeps its address the same. */
export interface Server {
  /** Where it is now, beside the proxies. */
  readonly url: () => string
  /** A proxy of its own for each of our programs, so that one may be cut off alone. */
  readonly proxyFor: () => Promise<Proxy>
  /** SIGKILL of the process and its children, then a start on what it left; how long until it serves again. */
  readonly killAndRestart: () => Promise<number>
  readonly stop: () => Promise<void>
}

interface Running {
  readonly url: string
  readonly port: number
  readonly child: { readonly pid: number; readonly exited: Promise<string> } | null
  readonly stop: () => Promise<void>
}

const LOOK_EVERY_MS = 10

async function supervise(start: () => Promise<Running>): Promise<Server> {
  let running = await start()
  let restarted: Promise<unknown> = Promise.resolve()
  const proxies: Proxy[] = []
  const killAndRestart = async (): Promise<number> => {
    const { child } = running
    if (child === null) throw new Error('it is not ours to kill')
    // Stopped first, it starts no more while they are looked for: one that was missed would hold what it left.
    sendSignal(child.pid, 'SIGSTOP')
    const pids = [child.pid, ...(await descendantsOf(child.pid))]
    const began = performance.now()
    for (const pid of pids) sendSignal(pid, 'SIGKILL')
    await child.exited
    for (const pid of pids) while ((await birthOf(pid)) !== null) await delay(LOOK_EVERY_MS)
    running = await start()
    for (const proxy of proxies) proxy.leadTo(running.port)
    return performance.now() - began
  }
  return {
    url: () => running.url,
    async proxyFor() {
      const proxy = await startProxy(running.port)
      proxies.push(proxy)
      return proxy
    },
    async killAndRestart() {
      // More than one lane may want it killed.
      const mine = restarted.then(killAndRestart)
      restarted = mine.catch(() => {})
      return await mine
    },
    async stop() {
      for (const proxy of proxies) await proxy.close()
      await running.stop()
    },
  }
}

/** Backends of PostgreSQL are groups of their own: a signal to the group would not reach them. */
async function descendantsOf(pid: number): Promise<readonly number[]> {
  const parents = new Map<number, number>()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
  }
  const below = (of: number): readonly number[] =>
    [...parents].filter(([, parent]) => parent === of).flatMap(([child]) => [child, ...below(child)])
  return below(pid)
}

/** Everything that was committed survives: only processes are killed, not the machine. */
export async function killablePostgres(folder: string): Promise<Server> {
  return await supervise(async () => {
    const server = await startPostgres({ folder, durability: 'durable', database: 'perennial' })
    return { ...server, port: Number(new URL(server.url).port) }
  })
}

interface Mute {
  /** So long without an answer, and it is replaced. */
  readonly muteMs: number
  readonly onMute: () => void
}

/**
 * The dev server with its state in a file. After a kill its database may say "interrupted" to everything, until its process
 * ends: then it is started anew.
 */
export async function killableTemporal(folder: string, mute: Mute): Promise<Server> {
  const preferredPorts = { grpc: await freePort(), ui: await freePort() }
  const server = await supervise(async () => {
    const running = await startTemporal({ folder, persistent: true, ui: false, preferredPorts })
    return { ...running, url: running.address, port: Number(running.address.split(':')[1]) }
  })
  const isOver = new AbortController()
  const watched = replaceMute(server, mute, isOver.signal)
  return {
    ...server,
    async stop() {
      isOver.abort()
      await watched
      await server.stop()
    },
  }
}

async function replaceMute(server: Server, { muteMs, onMute }: Mute, isOver: AbortSignal): Promise<void> {
  let answeredAt = performance.now()
  while (!isOver.aborted) {
    if (await isServing(server.url())) answeredAt = performance.now()
    else if (performance.now() - answeredAt > muteMs) {
      onMute()
      await server.killAndRestart()
      answeredAt = performance.now()
    }
    await delay(muteMs / 12, undefined, { signal: isOver }).catch(() => {})
  }
}
