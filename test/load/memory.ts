import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { median } from '../../bench/support/benchmark.ts'

export interface MemoryFigures {
  readonly process: string
  /** Medians of resident memory, in MiB. */
  readonly firstThird: number
  readonly lastThird: number
  readonly most: number
}

const EVERY_MS = 2_000
const PAGE_BYTES = 4096

/** Resident memory of processes over time, until `stop`. */
export function watchMemory(pids: Readonly<Record<string, number>>): {
  readonly stop: () => Promise<readonly MemoryFigures[]>
} {
  const stopping = new AbortController()
  const samples = new Map(Object.keys(pids).map((name) => [name, [] as number[]]))
  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      for (const [name, pid] of Object.entries(pids)) {
        const mib = await residentMib(pid)
        if (mib !== null) samples.get(name)?.push(mib)
      }
      await pause(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }
  const watching = watch()
  return {
    async stop() {
      stopping.abort()
      await watching
      return [...samples].map(([process, mib]) => {
        const third = Math.max(Math.floor(mib.length / 3), 1)
        return {
          process,
          firstThird: median(mib.slice(0, third)),
          lastThird: median(mib.slice(-third)),
          most: Math.max(...mib),
        }
      })
    },
  }
}

async function residentMib(pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => null)
  return text === null ? null : (Number(text.split(' ')[1]) * PAGE_BYTES) / 2 ** 20
}
