import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { verifyRollups } from '../../src/cli/recount-usage.ts'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { migrate } from '../../src/db/migrate.ts'
import { insertMeter } from '../../src/db/stores/meters.ts'
import {
  currentCutoff,
  hasLateUsage,
  usageQuantity,
  usageQuantityAtCutoff,
} from '../../src/db/stores/usage-query.ts'
import { startPostgres } from '../../src/local/postgres.ts'
import type { RunningPostgres } from '../../src/local/postgres.ts'
import { event, meter, rollUpAll, store } from './support.ts'

interface Cluster {
  readonly db: Database
  readonly postgres: RunningPostgres
}

const opened: Cluster[] = []
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perennial-restored-'))
})
afterAll(async () => {
  for (const { db, postgres } of opened) {
    await db.destroy()
    await postgres.stop()
  }
  await rm(folder, { recursive: true, force: true })
})

async function startCluster(name: string): Promise<Cluster> {
  const postgres = await startPostgres({
    folder: join(folder, name),
    durability: 'durable',
    database: 'usage',
  })
  const cluster = { db: openDatabase({ connectionString: postgres.url, maxConnections: 8 }), postgres }
  opened.push(cluster)
  return cluster
}

/** A base backup while everybody goes on working, as the folder of a cluster that was never started. */
async function backUp(db: Database, from: string, to: string, meanwhile: () => Promise<void>): Promise<void> {
  const copy = async (...paths: readonly string[]): Promise<void> => {
    // Files that go while they are copied are no fault: the log of changes has what became of them.
    await promisify(execFile)('cp', ['-a', ...paths]).catch(() => null)
  }
  const [data, restored] = [join(folder, from, 'data'), join(folder, to, 'data')]
  await mkdir(join(folder, to))
  await db.connection().execute(async (session) => {
    await sql`SELECT pg_backup_start('backup', true)`.execute(session)
    await Promise.all([copy(data, restored), meanwhile()])
    const { rows } = await sql<{ labelfile: string }>`
      SELECT labelfile FROM pg_backup_stop(false)`.execute(session)
    await rm(join(restored, 'pg_wal'), { recursive: true })
    await copy(join(data, 'pg_wal'), restored)
    await rm(join(restored, 'postmaster.pid'), { force: true })
    await writeFile(join(restored, 'backup_label'), rows[0]?.labelfile ?? '')
  })
  await copyFile(join(folder, from, 'postgres.password'), join(folder, to, 'postgres.password'))
}

const everything = { meterId: null, subjects: null, from: null, to: null }
const request = {
  meter: meter(),
  subjects: ['acme'],
  from: new Date('2025-01-01T00:00:00Z'),
  to: new Date('2025-02-01T00:00:00Z'),
}

test('rule 8: rollups and cutoffs are right in a new cluster that a base backup is restored into', async () => {
  const { db } = await startCluster('first')
  await migrate(db)
  const details = { id: 'meter', key: 'tokens', name: null, description: null, metadata: null }
  await insertMeter(db, { ...meter(), ...details }, new Date())
  for (let n = 0; n < 5; n += 1) await store(db, event())
  await rollUpAll(db)
  const closed = await currentCutoff(db)
  await store(db, event())
  const laterClosed = await currentCutoff(db)
  await backUp(db, 'first', 'second', async () => {
    for (let n = 0; n < 20; n += 1) {
      await store(db, event(), event())
      if (n % 5 === 0) await rollUpAll(db)
    }
  })
  await store(db, event())

  const { db: restored } = await startCluster('second')
  expect(await verifyRollups(restored, everything)).toMatchObject({ differing: 0 })
  const answers = async (cutoff: string) => ({
    seen: (await usageQuantityAtCutoff(restored, { ...request, cutoff })).quantity,
    isLate: await hasLateUsage(restored, { ...request, cutoff }),
  })
  const now = await currentCutoff(restored)
  const { quantity } = await usageQuantity(restored, request)
  // All of them, but not what was stored after the backup.
  expect(quantity).toBe('46')
  expect(await answers(closed)).toEqual({ seen: '5', isLate: true })
  expect(await answers(laterClosed)).toEqual({ seen: '6', isLate: true })
  expect(await answers(now)).toEqual({ seen: '46', isLate: false })

  await rollUpAll(restored)
  expect(await answers(now)).toEqual({ seen: '46', isLate: false })
  await store(restored, event(), event())
  for (const isRolled of [false, true]) {
    if (isRolled) await rollUpAll(restored)
    expect((await usageQuantity(restored, request)).quantity).toBe('48')
    expect(await answers(now)).toEqual({ seen: '46', isLate: true })
    expect(await answers(closed)).toEqual({ seen: '5', isLate: true })
  }
  expect(await verifyRollups(restored, everything)).toMatchObject({ differing: 0 })
}, 240_000)
