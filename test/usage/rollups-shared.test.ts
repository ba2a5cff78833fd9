import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rebuildRollups, verifyRollups } from '../../src/cli/recount-usage.ts'
import { insertMeter, updateMeter } from '../../src/db/stores/meters.ts'
import { currentCutoff, usageQuantity, usageQuantityAtCutoff } from '../../src/db/stores/usage-query.ts'
import { rollUp } from '../../src/db/stores/usage-roller.ts'
import { withSnapshot } from '../../src/db/transaction.ts'
import type { UsageMeter } from '../../src/domain/meters.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { runs } from '../support/properties.ts'
import { event, finishedSeq, meter, rollUpAll, store } from './support.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  for (const [index, one] of meters.entries()) {
    const details = {
      id: `id-${index}`,
      key: `meter-${index}`,
      name: null,
      description: null,
      metadata: null,
    }
    await insertMeter(database.db, { ...one, ...details }, new Date())
  }
})
afterAll(async () => {
  await database.drop()
})

const groupings = [{}, { region: '$.region' }, { region: '$.region', size: '$.size' }] as const
const meters: readonly UsageMeter[] = [
  meter(),
  meter({ aggregation: 'AVG' }),
  meter({ aggregation: 'COUNT', valueProperty: null }),
  meter({ aggregation: 'LATEST', groupBy: groupings[1] }),
  meter({ aggregation: 'MAX', eventType: 'answer', groupBy: groupings[2] }),
]
const FROM = Date.parse('2025-03-08T00:00:00Z')
const minute = fc.integer({ min: 0, max: 4000 })

const usage = fc.record({
  type: fc.constantFrom('prompt', 'answer', 'nothing'),
  subject: fc.constantFrom('x', 'y'),
  minute,
  data: fc.record({
    tokens: fc.constantFrom(1, 2, '0.5', -3, 'many', null),
    region: fc.constantFrom('eu', 'us', null),
    size: fc.constantFrom(1, 2),
  }),
})
const storing = fc.array(
  fc.record({
    list: fc.array(usage, { minLength: 1, maxLength: 8 }),
    how: fc.constantFrom('at once', 'one by one', 'rolled back'),
  }),
  { minLength: 4, maxLength: 8 },
)
const rolling = fc.array(fc.constantFrom(1, 10, 1000), { minLength: 6, maxLength: 12 })
const recounting = fc.array(
  fc.record({ isRebuilt: fc.boolean(), chunkEvents: fc.constantFrom(3, 20, 1000) }),
  { maxLength: 2 },
)
const changing = fc.array(
  fc.record({ index: fc.nat({ max: meters.length - 1 }), groupBy: fc.constantFrom(...groupings) }),
  { maxLength: 2 },
)
const asking = fc.array(
  fc.record({
    index: fc.nat({ max: meters.length - 1 }),
    groupBy: fc.constantFrom(...groupings),
    between: fc.tuple(minute, minute),
  }),
  { maxLength: 6 },
)

type Of<A> = A extends fc.Arbitrary<infer T> ? T : never

let run = 0

/** What everybody does in turn, each at their own pace beside the others. */
function actorsOf(at: number) {
  const { db } = database
  const eventOf = ({ type, subject, minute: after, data }: Of<typeof usage>) =>
    event({ type, subject: `${subject}-${at}`, time: new Date(FROM + after * 60_000).toISOString(), data })
  const subjects = [`x-${at}`, `y-${at}`]
  return {
    async stores(steps: Of<typeof storing>) {
      for (const { list, how } of steps) {
        if (how === 'at once') await store(db, ...list.map(eventOf))
        if (how === 'at once') continue
        const trx = await db.startTransaction().execute()
        for (const one of list) await store(trx, eventOf(one))
        await (how === 'rolled back' ? trx.rollback() : trx.commit()).execute()
      }
    },
    async rolls(steps: readonly number[]) {
      for (const eventsMax of steps) {
        await rollUp(db, await finishedSeq(db), eventsMax)
      }
    },
    async recounts(steps: readonly { readonly isRebuilt: boolean; readonly chunkEvents: number }[]) {
      for (const { isRebuilt, chunkEvents } of steps) {
        const options = { meterId: null, subjects, from: null, to: null, chunkEvents }
        const { differing } = await (isRebuilt ? rebuildRollups : verifyRollups)(db, options)
        expect(differing).toBe(0)
      }
    },
    async changes(steps: readonly { readonly index: number; readonly groupBy: Record<string, string> }[]) {
      for (const { index, groupBy } of steps)
        await updateMeter(db, `id-${index}`, { groupBy, now: new Date() })
    },
    async asks(steps: Of<typeof asking>) {
      for (const { index, groupBy, between } of steps) {
        const [from, to] = between.toSorted((a, b) => a - b).map((after) => new Date(FROM + after * 60_000))
        if (from === undefined || to === undefined || meters[index] === undefined)
          throw new Error('no interval')
        const request = { meter: { ...meters[index], groupBy }, subjects, from, to }
        await withSnapshot(db, async (trx) => {
          const recount = { ...request, cutoff: await currentCutoff(trx) }
          expect(await usageQuantity(trx, request)).toEqual(await usageQuantityAtCutoff(trx, recount))
        })
      }
    },
  }
}

test('rule 8: answers are exact while others store for long, roll up, regroup meters and make rollups anew', async () => {
  const { db } = database
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(storing, storing),
      fc.tuple(rolling, rolling),
      recounting,
      changing,
      fc.tuple(asking, asking),
      async (stored, rolled, recounted, changed, asked) => {
        const actors = actorsOf(++run)
        await Promise.all([
          ...stored.map(async (steps) => await actors.stores(steps)),
          ...rolled.map(async (steps) => await actors.rolls(steps)),
          actors.recounts(recounted),
          actors.changes(changed),
          ...asked.map(async (steps) => await actors.asks(steps)),
        ])
        await rollUpAll(db)
        for (const steps of asked) await actors.asks(steps)
        const everything = { meterId: null, subjects: null, from: null, to: null }
        expect((await verifyRollups(db, everything)).differing).toBe(0)
      },
    ),
    { numRuns: runs(5) },
  )
}, 600_000)
