import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReconciler } from '../../src/reconcile/loop.ts'
import { connectTemporal } from '../../src/temporal/gateway.ts'
import type { TemporalGateway } from '../../src/temporal/gateway.ts'
import { startAccount } from '../relay/support.ts'
import type { Account } from '../relay/support.ts'
import { waitFor } from '../support/scenario.ts'
import { testTemporalAddress } from '../support/temporal.ts'

let account: Account
let temporal: TemporalGateway
beforeAll(async () => {
  account = await startAccount()
  const address = await testTemporalAddress()
  temporal = await connectTemporal({ address, namespace: 'default', taskQueue: `none-${randomUUID()}` })
})
afterAll(async () => {
  await temporal.close()
  await account.close()
})

test('a look that was noted by a clock two hours ahead does not keep anybody from looking', async () => {
  const { db } = account.database
  const ahead = new Date(Date.now() + 2 * 3_600_000)
  await db
    .insertInto('reconciliationRuns')
    .values({ startedAt: ahead, lookedAt: ahead, endedAt: ahead })
    .execute()
  const log = { info: () => {}, warn: () => {} }
  const loop = startReconciler({ db, temporal, stripe: account.stripe, log }, 500)
  const runs = await waitFor(
    async () =>
      await db.selectFrom('reconciliationRuns').select(['error', 'endedAt']).orderBy('id').execute(),
    (rows) => rows.length > 1 && rows.every(({ endedAt }) => endedAt !== null),
  )
  await loop.stop()
  expect(runs.map(({ error }) => error)).toEqual(runs.map(() => null))
})
