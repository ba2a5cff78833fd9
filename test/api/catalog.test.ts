import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OpenMeter } from '@openmeter/sdk'
import { ulid } from 'ulid'
import { insertMeter } from '../../src/db/stores/meters.ts'
import { lockPlanVersions } from '../../src/db/stores/plans.ts'
import type { Feature } from '../../src/api/schemas/features.ts'
import type { Plan, PlanCreate } from '../../src/api/schemas/plans.ts'
import { connectClient } from './client.ts'
import type { IsAssignable, Schemas } from './client.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
let client: OpenMeter
beforeAll(async () => {
  api = await startTestApi()
  client = await connectClient(api.app)
  const meter = {
    id: ulid(),
    key: 'tokens_total',
    name: null,
    description: null,
    metadata: null,
    eventFrom: null,
  }
  await insertMeter(
    api.db,
    {
      ...meter,
      eventType: 'tokens',
      aggregation: 'SUM',
      valueProperty: '$.tokens',
      groupBy: { kind: '$.kind' },
    },
    new Date(),
  )
  await client.features.create({ key: 'tokens', name: 'Tokens', meterSlug: 'tokens_total' })
})
afterAll(() => api.close())

const basic = (key: string) => ({
  key,
  name: 'Pro',
  currency: 'USD',
  billingCadence: 'P1M',
  phases: [
    {
      key: 'default',
      name: 'Default',
      duration: null,
      rateCards: [
        {
          type: 'flat_fee' as const,
          key: 'base',
          name: 'Base fee',
          billingCadence: 'P1M',
          price: { type: 'flat' as const, amount: '20' },
        },
        {
          type: 'usage_based' as const,
          key: 'tokens',
          name: 'Tokens',
          featureKey: 'tokens',
          billingCadence: 'P1M',
          price: {
            type: 'tiered' as const,
            mode: 'graduated' as const,
            tiers: [
              { upToAmount: '1000', flatPrice: null, unitPrice: { type: 'unit' as const, amount: '0' } },
              { flatPrice: null, unitPrice: { type: 'unit' as const, amount: '0.000003' } },
            ],
          },
        },
      ],
    },
  ],
})

const send = async (method: 'POST' | 'PUT', url: string, payload: object) =>
  api.app.inject({ method, url, payload })

test('what we answer is what the client types expect, without a cast', () => {
  const feature: IsAssignable<Feature, Schemas['Feature']> = true
  const plan: IsAssignable<Plan, Schemas['Plan']> = true
  const input: IsAssignable<
    Omit<Schemas['PlanCreate'], 'settlementMode'>,
    Omit<PlanCreate, 'settlementMode'>
  > = true
  expect([feature, plan, input]).toEqual([true, true, true])
})

test('a feature is found by id and by key, and listed as an array or as a page', async () => {
  const created = await client.features.create({
    key: 'context_tokens',
    name: 'Context tokens',
    meterSlug: 'tokens_total',
    meterGroupByFilters: { kind: 'context' },
    metadata: { a: 'b' },
  })
  expect(created).toMatchObject({
    key: 'context_tokens',
    meterSlug: 'tokens_total',
    meterGroupByFilters: { kind: 'context' },
    metadata: { a: 'b' },
  })
  expect(created?.createdAt).toBeInstanceOf(Date)
  expect(await client.features.get(created?.id ?? '')).toEqual(created)
  expect(await client.features.get('context_tokens')).toEqual(created)
  expect(await client.features.list()).toBeInstanceOf(Array)
  expect(await client.features.list({ page: 1, pageSize: 1, orderBy: 'key', order: 'ASC' })).toMatchObject({
    items: [{ key: 'context_tokens' }],
    page: 1,
    pageSize: 1,
    totalCount: 2,
  })
  expect(await client.features.list({ meterSlug: ['other'] })).toEqual([])
})

test('a feature key is taken once, and free again after archiving', async () => {
  const first = await client.features.create({ key: 'seats', name: 'Seats' })
  expect((await send('POST', '/api/v1/features', { key: 'seats', name: 'Seats' })).json()).toMatchObject({
    status: 409,
    code: 'duplicate_key',
    field: 'key',
  })
  await client.features.delete('seats')
  await client.features.create({ key: 'seats', name: 'Seats' })
  expect((await client.features.get(first?.id ?? ''))?.archivedAt).toBeInstanceOf(Date)
})

test('a feature of an unknown meter, or with a filter its meter lacks, is refused by field', async () => {
  const unknown = await send('POST', '/api/v1/features', { key: 'x', name: 'X', meterSlug: 'nope' })
  expect(unknown.json()).toMatchObject({ status: 400, field: 'meterSlug' })
  const filter = await send('POST', '/api/v1/features', {
    key: 'x',
    name: 'X',
    meterSlug: 'tokens_total',
    meterGroupByFilters: { model: 'a' },
  })
  expect(filter.json()).toMatchObject({ status: 400, field: 'meterGroupByFilters.model' })
})

test('a plan is drafted, changed, published and versioned; publishing ends the version before', async () => {
  const draft = await client.plans.create(basic('pro'))
  expect(draft).toMatchObject({
    version: 1,
    status: 'draft',
    validationErrors: null,
    proRatingConfig: { enabled: true },
  })
  const id = draft?.id ?? ''
  const { key: _key, currency: _currency, ...content } = basic('pro')
  expect(await client.plans.update(id, { ...content, name: 'Pro 2' })).toMatchObject({
    name: 'Pro 2',
    currency: 'USD',
  })
  const published = await client.plans.publish(id)
  expect(published).toMatchObject({ status: 'active' })
  expect(published?.effectiveFrom).toBeInstanceOf(Date)

  const next = await send('POST', '/api/v1/plans/pro/next', {})
  expect(next.json()).toMatchObject({ version: 2, status: 'draft', name: 'Pro 2' })
  expect(await client.plans.get('pro', {})).toMatchObject({ version: 1 })
  expect(await client.plans.get('pro', { includeLatest: true })).toMatchObject({ version: 2 })
  const second = await client.plans.publish(next.json().id)
  const first = await client.plans.get(id, {})
  expect(first).toMatchObject({ status: 'archived' })
  expect(first?.effectiveTo).toEqual(second?.effectiveFrom)

  const byVersion = await api.app.inject('/api/v1/plans?keyVersion[pro]=2')
  expect(byVersion.json()).toMatchObject({ totalCount: 1, items: [{ version: 2 }] })
  expect(await client.plans.list({ status: ['archived'], key: ['pro'] })).toMatchObject({
    items: [{ version: 1 }],
  })
  expect(await client.plans.archive(second?.id ?? '')).toMatchObject({ status: 'archived' })
})

test('a plan published twice is a conflict, and a published one cannot be changed or deleted', async () => {
  const plan = await client.plans.create(basic('twice'))
  const url = `/api/v1/plans/${plan?.id ?? ''}`
  expect((await send('POST', `${url}/publish`, {})).statusCode).toBe(200)
  expect((await send('POST', `${url}/publish`, {})).json()).toMatchObject({
    status: 409,
    code: 'plan_already_published',
  })
  const { key: _key, currency: _currency, ...content } = basic('twice')
  expect((await send('PUT', url, content)).json()).toMatchObject({ code: 'plan_not_draft' })
  expect((await api.app.inject({ method: 'DELETE', url })).json()).toMatchObject({ code: 'plan_not_draft' })
})

/** Sessions of this database that wait for a row. */
async function waiting(): Promise<number> {
  const { rows } = await sql<{ count: string }>`
    select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
    api.db,
  )
  return Number(rows[0]?.count)
}

test('two publishings at once: one wins', async () => {
  const plan = await client.plans.create(basic('race'))
  const answers = await api.db.transaction().execute(async (trx) => {
    await lockPlanVersions(trx, 'race')
    const both = [1, 2].map(() => send('POST', `/api/v1/plans/${plan?.id ?? ''}/publish`, {}))
    await expect.poll(waiting).toBe(2)
    return both
  })
  const statuses = (await Promise.all(answers)).map((answer) => answer.statusCode)
  expect(statuses.sort((a, b) => a - b)).toEqual([200, 409])
})

test('a tier list without an open end, an unknown currency and a wild number are refused when written', async () => {
  const plan = basic('bad')
  const [flat, usage] = plan.phases[0]?.rateCards ?? []
  const closed = {
    ...usage,
    price: {
      type: 'tiered',
      mode: 'volume',
      tiers: [{ upToAmount: '5', flatPrice: null, unitPrice: { type: 'unit', amount: '1' } }],
    },
  }
  const withCards = (rateCards: readonly unknown[]) => ({
    ...plan,
    phases: [{ ...plan.phases[0], rateCards }],
  })
  expect((await send('POST', '/api/v1/plans', withCards([flat, closed]))).json()).toMatchObject({
    status: 400,
    code: 'tier_open_end_missing',
  })
  expect((await send('POST', '/api/v1/plans', { ...plan, currency: 'XXX' })).json()).toMatchObject({
    code: 'unknown_currency',
    field: 'currency',
  })
  const wild = { ...usage, price: { type: 'unit', amount: '1e400' } }
  expect((await send('POST', '/api/v1/plans', withCards([wild]))).json()).toMatchObject({
    status: 400,
    field: 'phases[0].rateCards[0].price.amount',
  })
  const untyped = { ...usage, price: { type: 'unknown', amount: '1' } }
  expect((await send('POST', '/api/v1/plans', withCards([untyped]))).json()).toMatchObject({
    status: 400,
    field: 'phases[0].rateCards[0].price.type',
    detail:
      'phases[0].rateCards[0].price.type must be one of "flat", "unit", "tiered", "dynamic", "package".',
  })
  expect((await client.plans.list({ key: ['bad'] }))?.totalCount).toBe(0)
})

test('rule 4: cadences that do not divide keep a draft from being published', async () => {
  const plan = { ...basic('weekly'), billingCadence: 'P4W' }
  const draft = await client.plans.create(plan)
  expect(draft?.validationErrors).not.toBeNull()
  const answer = await send('POST', `/api/v1/plans/${draft?.id ?? ''}/publish`, {})
  expect(answer.json()).toMatchObject({ status: 400, code: 'cadence_not_divisible' })
})

test('a plan that sells an unknown feature, or bills usage nothing measures, cannot be published', async () => {
  const plan = basic('ghost')
  const [, usage] = plan.phases[0]?.rateCards ?? []
  const selling = (key: string, featureKey: string) => ({
    ...plan,
    key,
    phases: [{ ...plan.phases[0], rateCards: [{ ...usage, key: featureKey, featureKey }] }],
  })
  const ghost = await send('POST', '/api/v1/plans', selling('ghost', 'ghost'))
  expect((await send('POST', `/api/v1/plans/${ghost.json().id}/publish`, {})).json()).toMatchObject({
    status: 400,
    field: 'phases[0].rateCards[0].featureKey',
  })
  await client.features.create({ key: 'unmetered', name: 'Unmetered' })
  const unmetered = await send('POST', '/api/v1/plans', selling('unmetered', 'unmetered'))
  expect((await send('POST', `/api/v1/plans/${unmetered.json().id}/publish`, {})).json().detail).toMatch(
    /no meter/,
  )
})

test('a feature that a plan sells is not archived', async () => {
  await client.plans.create(basic('keeper'))
  expect((await api.app.inject({ method: 'DELETE', url: '/api/v1/features/tokens' })).json()).toMatchObject({
    status: 409,
    code: 'feature_in_use',
  })
})

test('a page or a version beyond what there can be is refused, and no failure of ours', async () => {
  const get = async (url: string) => (await api.app.inject({ url })).json()
  expect(await get('/api/v1/features?offset=1e300')).toMatchObject({ status: 400, field: 'offset' })
  expect(await get('/api/v1/plans?keyVersion[pro]=99999999999')).toMatchObject({
    status: 400,
    field: 'keyVersion.pro',
  })
})
