import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { endRecordedProcess } from '../../src/local/process-record.ts'
import { undoneAtLast } from './early-end.ts'

/** A folder for what a benchmark starts. */
export interface BenchFolder {
  readonly folder: string
  /** With all that is in it; processes that still run there are ended. */
  readonly remove: () => Promise<void>
}

export async function benchFolder(name: string): Promise<BenchFolder> {
  const folder = await mkdtemp(join(tmpdir(), `perennial-${name}-`))
  const remove = undoneAtLast(async () => {
    await endAllIn(folder)
    await rm(folder, { recursive: true, force: true })
  })
  return { folder, remove }
}

const RECORD = '.pid.json'

async function endAllIn(folder: string): Promise<void> {
  const files = await readdir(folder, { recursive: true })
  const records = files.filter((file) => file.endsWith(RECORD))
  await Promise.all(
    records.map(async (file) => {
      // PostgreSQL waits for its clients after SIGTERM.
      const signal = basename(file) === `postgres${RECORD}` ? 'SIGINT' : 'SIGTERM'
      await endRecordedProcess(join(folder, file), signal)
    }),
  )
}
