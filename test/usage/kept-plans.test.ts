import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { insertMeter } from '../../src/db/stores/meters.ts'
import { queryMeter } from '../../src/db/stores/meter-query.ts'
import { usageQuantity } from '../../src/db/stores/usage-query.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { event, meter, rollUpAll, store } from './support.ts'

let database: TestDatabase
/** One connection: what was planned there is there. */
let db: Database

beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connectionString: database.url, maxConnections: 1 })
  const details = { id: 'tokens', key: 'tokens', name: null, description: null, metadata: null }
  await insertMeter(db, { ...meter(), ...details }, new Date())
})
afterAll(async () => {
  await db.destroy()
  await database.drop()
})

const at = (time: string): Date => new Date(`2025-01-${time}Z`)
const slice = (subject: string, from = at('01T00:00:01'), to = at('31T00:00:01')) => ({
  meter: meter(),
  subjects: [subject],
  from,
  to,
})

const runsOfKept = async (what = 'counted'): Promise<readonly number[]> => {
  const { rows } = await sql<{ runs: string }>`
    SELECT generic_plans + custom_plans AS runs FROM pg_prepared_statements
    WHERE statement LIKE '%usage_rollups%' AND statement LIKE ${`% ${what}%`} ORDER BY 1`.execute(db)
  return rows.map(({ runs }) => Number(runs))
}

test("one subject's usage is asked for by a statement that is kept, where no events are behind the rollups", async () => {
  const stored = ['ann', 'bea'].map((subject, index) => event({ subject, data: { tokens: 5 + index } }))
  await store(db, ...stored)
  await rollUpAll(db)
  for (const [subject, quantity] of Object.entries({ ann: '5', bea: '6', nobody: '0' }))
    expect(await usageQuantity(db, slice(subject))).toMatchObject({ quantity })
  expect(await runsOfKept()).toEqual([3])
  // One that is cut at other edges, and one of two subjects, which is not kept.
  expect(await usageQuantity(db, slice('ann', at('01T00:00:00')))).toMatchObject({ quantity: '5' })
  expect(await usageQuantity(db, { ...slice('ann'), subjects: ['ann', 'bea'] })).toMatchObject({
    quantity: '11',
  })
  expect(await runsOfKept()).toEqual([1, 3])
  await store(db, event({ subject: 'ann', data: { tokens: 100 } }))
  expect(await usageQuantity(db, slice('ann'))).toMatchObject({ quantity: '105' })
  expect(await runsOfKept()).toEqual([1, 3])
})

test('a statement that was kept finds what came after it was made for rollups that nothing was behind', async () => {
  await rollUpAll(db)
  const { rows } = await sql<{
    id: number
    rolledSeq: string
  }>`SELECT id, rolled_seq FROM usage_series`.execute(db)
  const [found] = rows
  if (found === undefined) throw new Error('no series')
  const before = await runsOfKept()
  await store(db, event({ subject: 'cleo', data: { tokens: 7 } }))
  const known = { ...slice('cleo'), series: { ...found, isBehind: false } }
  expect(await usageQuantity(db, known)).toMatchObject({ quantity: '7' })
  expect((await runsOfKept()).reduce((sum, runs) => sum + runs, 0)).toBe(
    before.reduce((sum, runs) => sum + runs, 0) + 1,
  )
})

test("a meter's windows of one subject are asked for by a statement that is kept, and answer for their own interval", async () => {
  await store(db, event({ subject: 'dan', time: '2025-01-02T00:00:00Z' }), event({ subject: 'dan' }))
  await rollUpAll(db)
  const days = { windowSize: 'DAY', timeZone: 'UTC', groupBy: [] } as const
  const starts = async (
    subjects: readonly string[],
    from: string,
    to: string,
  ): Promise<readonly string[]> => {
    const rows = await queryMeter(db, { ...days, meter: meter(), subjects, from: at(from), to: at(to) })
    return rows.map(({ windowStart, value }) => `${windowStart.toISOString().slice(8, 10)}: ${value}`)
  }
  for (let round = 1; round <= 4; round += 1) {
    expect(await starts(['dan'], '01T00:00:00', '31T00:00:00')).toEqual(['02: 1', '15: 1'])
    expect(await starts(['dan'], '03T00:00:00', '31T00:00:00')).toEqual(['15: 1'])
  }
  expect(await starts(['dan', 'bea'], '01T00:00:00', '31T00:00:00')).toEqual(['02: 1', '15: 7'])
  expect(await runsOfKept('summed')).toEqual([8])
})
