import { afterAll, beforeAll, expect, test } from 'vitest'
import { billingRows, subscriptionBillingRows } from '../../src/db/stores/billing-settings.ts'
import { findFeaturesByKey } from '../../src/db/stores/features.ts'
import { viewSubscription } from '../../src/db/stores/subscription-reads.ts'
import { getSubscription } from '../../src/db/stores/subscriptions.ts'
import type { Phase } from '../../src/domain/rate-card.ts'
import { insertClock, insertCustomer, insertProfile } from '../api/billing-fixtures.ts'
import { insertSubscriptionRow } from '../api/invoice-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => await database.drop())

test('how a customer is billed, asked at once, is what the rows say one by one', async () => {
  const { db } = database
  const { appId, profileId } = await insertProfile(db)
  const testClockId = await insertClock(db, '2026-01-01T00:00:00.123Z')
  const linked = await insertCustomer(db, { key: 'linked', appId, testClockId })
  await insertCustomer(db, { key: 'unlinked' })
  await db
    .updateTable('customers')
    .set({ metadata: '{"plan_code": "a_b"}', deletedAt: new Date('2026-02-01T00:00:00.001Z') })
    .where('id', '=', linked)
    .execute()
  await db
    .updateTable('apps')
    .set({ missingPermissions: ['event_read'], webhookCheckedAt: new Date('2026-03-01T01:02:03.004Z') })
    .execute()
  const override = { customerId: linked, billingProfileId: profileId, dunning: '{"retries": []}' }
  await db.insertInto('billingOverrides').values(override).execute()

  expect(await billingRows(db, linked)).toEqual({
    customer: await db.selectFrom('customers').selectAll().where('id', '=', linked).executeTakeFirst(),
    override: await db.selectFrom('billingOverrides').selectAll().executeTakeFirst(),
    profile: await db.selectFrom('billingProfiles').selectAll().executeTakeFirst(),
    app: await db.selectFrom('apps').selectAll().executeTakeFirst(),
    link: await db.selectFrom('customerApps').selectAll().executeTakeFirst(),
    subjectKeys: ['subject-linked'],
  })
  const subscriptionId = await insertSubscriptionRow(db, linked, [{ key: 'first', rateCards: [] }])
  const asked = await subscriptionBillingRows(db, subscriptionId)
  expect(asked).toEqual({
    subscription: await getSubscription(db, subscriptionId),
    billing: await billingRows(db, linked),
  })
  await db
    .updateTable('subscriptions')
    .set({ deletedAt: new Date() })
    .where('id', '=', subscriptionId)
    .execute()
  expect(await subscriptionBillingRows(db, subscriptionId)).toBeNull()
  const { id } = await db
    .selectFrom('customers')
    .select('id')
    .where('key', '=', 'unlinked')
    .executeTakeFirstOrThrow()
  expect(await billingRows(db, id)).toMatchObject({ override: null, profile: { id: profileId }, link: null })
  expect(await billingRows(db, 'nobody')).toBeNull()
})

test('without a profile that applies there is neither profile nor app', async () => {
  const { db } = database
  const customerId = await insertCustomer(db, { key: 'early' })
  await db.updateTable('billingProfiles').set({ isDefault: false }).execute()
  expect(await billingRows(db, customerId)).toMatchObject({ profile: null, app: null, link: null })
})

test('a subscription is seen with its clock and with the features of its rate cards', async () => {
  const { db } = database
  const testClockId = await insertClock(db, '2026-05-01T00:00:00.999Z')
  const customerId = await insertCustomer(db, { key: 'seen', testClockId })
  const archivedAt = new Date('2026-01-01T00:00:00Z')
  const meter = { id: 'M', key: 'tokens_meter', eventType: 'request', aggregation: 'COUNT' }
  await db.insertInto('meters').values(meter).execute()
  await db
    .insertInto('features')
    .values([
      { id: 'F', key: 'tokens', name: 'Tokens', meterId: 'M', metadata: '{"some_key": "1"}' },
      { id: 'G', key: 'seats', name: 'Seats', archivedAt },
      { id: 'H', key: 'other', name: 'Other' },
    ])
    .execute()
  const card = { type: 'flat_fee', name: 'Card', billingCadence: 'P1M', price: null } as const
  const cards = ['tokens', 'seats'].map((key) => ({ ...card, key, featureKey: key }))
  const phases: Phase[] = [
    { key: 'first', name: 'First', duration: 'P1M', rateCards: cards },
    { key: 'second', name: 'Second', duration: null, rateCards: [{ ...card, key: 'plain' }, ...cards] },
  ]
  const id = await insertSubscriptionRow(db, customerId, phases)
  const { customerId: ours, ...row } = await db
    .selectFrom('subscriptions')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const features = await findFeaturesByKey(db, ['tokens'])
  const frozenTime = new Date('2026-05-01T00:00:00.999Z')
  const ourRow: unknown = expect.objectContaining({ ...row, customerId: ours })
  expect(await viewSubscription(db, id)).toEqual({ row: ourRow, frozenTime, features })
})
