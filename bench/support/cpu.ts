import type { Bench } from './environment.ts'
import { cpuMsOf } from './machine.ts'

/** CPU that processes of ours and PostgreSQL spend from now on, in ms for each thousand of what was done. */
export async function cpuMeter(
  bench: Bench,
  ours: readonly number[],
): Promise<(done: number) => Promise<{ cpuMs?: number }>> {
  const times = async (): Promise<ReadonlyMap<number, number>> =>
    await cpuMsOf([...ours, ...(await bench.databasePids())])
  const before = await times()
  return async (done) => {
    // A connection that was opened meanwhile has used nothing before; one that was closed is not seen.
    const spent = [...(await times())].map(([pid, time]) => time - (before.get(pid) ?? 0))
    const total = spent.reduce((sum, time) => sum + time, 0)
    return before.size === 0 ? {} : { cpuMs: (total / done) * 1000 }
  }
}
