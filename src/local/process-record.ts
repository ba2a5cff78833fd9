import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Written beside every process we start, so that a start after a crash can end exactly what the crash left. */
export interface ProcessRecord {
  readonly pid: number
  /** Distinguishes the process from a later one that was given the same pid. */
  readonly birth: string
}

/** When a process began, in the system's own notation; null when there is no such process. */
export async function birthOf(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
    if (stat === null) return null
    // The second field is the command in parentheses and may contain spaces; fields are counted after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? null : `${await bootId()}/${fields[19] ?? ''}`
  }
  const { stdout } = await run('ps', ['-o', 'lstart=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  return stdout.trim() === '' ? null : stdout.trim()
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim()
}

/** Remembers a running process in a file. */
export async function writeProcessRecord(file: string, pid: number): Promise<void> {
  const birth = await birthOf(pid)
  if (birth === null) return
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, JSON.stringify({ pid, birth } satisfies ProcessRecord))
}

async function readProcessRecord(file: string): Promise<ProcessRecord | null> {
  const text = await readFile(file, 'utf8').catch(() => null)
  if (text === null) return null
  try {
    const value = JSON.parse(text) as Partial<ProcessRecord>
    return typeof value.pid === 'number' && typeof value.birth === 'string'
      ? { pid: value.pid, birth: value.birth }
      : null
  } catch {
    return null
  }
}

/** The recorded process if it still runs and is the very one that was recorded. */
export async function recordedProcess(file: string): Promise<number | null> {
  const record = await readProcessRecord(file)
  if (record === null) return null
  return (await birthOf(record.pid)) === record.birth ? record.pid : null
}

/** Ends the process an earlier start recorded, if it still runs and is verified to be that one; removes the record. */
export async function endRecordedProcess(file: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const pid = await recordedProcess(file)
  if (pid !== null) {
    sendSignal(pid, signal)
    const deadline = Date.now() + 15_000
    while (Date.now() < deadline && (await recordedProcess(file)) !== null) await delay(50)
    if ((await recordedProcess(file)) !== null) sendSignal(pid, 'SIGKILL')
    while ((await recordedProcess(file)) !== null) await delay(50)
  }
  await rm(file, { force: true })
}

/** Sends a signal; a process that is gone already is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
