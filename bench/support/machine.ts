import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import type { Pool } from 'pg'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGib: number
  readonly node: string
  readonly postgres: string
  readonly settings: Readonly<Record<string, string>>
  readonly startedAt: string
  readonly loadAtStart: number
}

const settingNames = ['fsync', 'synchronous_commit', 'shared_buffers', 'max_wal_size', 'checkpoint_timeout']

/** What the figures were measured on: without it they mean nothing. */
export async function describeMachine(pool: Pool): Promise<Machine> {
  const { rows } = await pool.query<{ name: string; setting: string }>(
    "SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY($1) OR name = 'server_version'",
    [settingNames],
  )
  const settings = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    postgres: settings['server_version'] ?? 'unknown',
    settings,
    startedAt: new Date().toISOString(),
    loadAtStart: loadavg()[0] ?? 0,
  }
}

const TICK_MS = 10

/** CPU time of processes by id, in ms; empty where the machine does not say (only Linux does, in /proc). */
export async function cpuMsOf(pids: readonly number[]): Promise<ReadonlyMap<number, number>> {
  const times = await Promise.all(pids.map(async (pid) => [pid, await cpuMsOfOne(pid)] as const))
  return new Map(times.flatMap(([pid, time]) => (time === null ? [] : [[pid, time]])))
}

async function cpuMsOfOne(pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  // The name in parentheses may hold spaces; user and system time are fields 14 and 15.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields === undefined ? null : (Number(fields[11]) + Number(fields[12])) * TICK_MS
}
