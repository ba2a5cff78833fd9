import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertMeter } from '../../src/db/stores/meters.ts'
import { insertCustomer } from '../api/billing-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { event, meter, rollUpAll, store } from '../usage/support.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  const details = { name: null, description: null, metadata: null }
  await insertMeter(db, { ...meter(), ...details, id: 'meter-1', key: 'tokens' }, new Date())
  await insertMeter(
    db,
    { ...meter({ aggregation: 'COUNT' }), ...details, id: 'meter-2', key: 'calls' },
    new Date(),
  )
  for (const key of ['acme', 'other']) {
    const customerId = await insertCustomer(db, { key })
    await db
      .insertInto('customerSubjects')
      .values({ customerId, subjectKey: `${key}-seat` })
      .execute()
    await store(db, event({ subject: `${key}-seat`, data: { tokens: 5 } }))
  }
  await rollUpAll(db)
})
afterAll(async () => await database.drop())

const program = fileURLToPath(new URL('../../bin/perennial.mjs', import.meta.url))

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function usage(...args: readonly string[]): Promise<Run> {
  return await new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', DATABASE_URL: database.url }
    execFile(process.execPath, [program, 'usage', ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

test('verify names what differs and ends with 1; rebuild mends what it is asked to; then verify ends with 0', async () => {
  const { db } = database
  await sql`UPDATE usage_rollups SET sum = 7 WHERE sum IS NOT NULL`.execute(db)
  const found = await usage('verify')
  expect(found.code).toBe(1)
  expect(found.stdout).toContain('acme-seat')
  expect(found.stdout).toContain('sum 7, count 1')
  expect(found.stdout).toContain('sum 5, count 1')
  expect(found.stderr).toContain('6 rollups are not what their events add up to')
  expect(found.stderr).toContain('Next: run perennial usage rebuild')
  const mended = await usage('rebuild', '--customer', 'acme', '--meter', 'tokens', '--json')
  expect(mended.code).toBe(0)
  expect(JSON.parse(mended.stdout)).toMatchObject({
    differing: 3,
    series: [{ meters: ['tokens'], keeps: 'sum', events: 1, rollups: 3, differing: 3, behind: '0' }],
  })
  const left = await usage(
    'verify',
    '--from',
    '2025-01-15T23:00:00Z',
    '--to',
    '2025-01-15T23:30:00Z',
    '--json',
  )
  expect(left.code).toBe(1)
  expect(JSON.parse(left.stdout)).toMatchObject({ differing: 3, series: [{ events: 2 }, { events: 2 }] })
  expect((await usage('verify', '--customer', 'acme')).code).toBe(0)
}, 240_000)

test('a meter that is not there is said with what to do', async () => {
  const run = await usage('verify', '--meter', 'tokkens')
  expect(run.code).toBe(1)
  expect(run.stderr).toContain('There is no meter tokkens')
  expect(run.stdout).toBe('')
})
