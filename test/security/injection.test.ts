import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from 'kysely'
import { insertPlan, insertProfile } from '../api/billing-fixtures.ts'
import { startTestApi } from '../api/support.ts'
import type { TestApi } from '../api/support.ts'

interface Parameter {
  readonly name: string
  readonly in: string
  readonly schema?: { readonly type?: string }
}
interface Operation {
  readonly parameters?: readonly Parameter[]
}

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  await insertProfile(api.db)
  await insertPlan(api.db, { key: 'one' })
  await insertPlan(api.db, { key: 'two' })
})
afterAll(() => api.close())

const attacks = [
  "' OR '1'='1",
  "'; DROP TABLE meters; --",
  '1); SELECT pg_sleep(20); --',
  'key" ASC, (SELECT 1/0) --',
  "one' UNION SELECT * FROM api_keys --",
  '$1',
] as const

/** Every read of the document, with the attack in each of its parameters. */
function readsWith(attack: string): readonly string[] {
  const found: string[] = []
  for (const [path, methods] of Object.entries(api.app.swagger().paths ?? {})) {
    const operation = methods?.get as Operation | undefined
    if (operation === undefined || path === '/readyz') continue
    const text = encodeURIComponent(attack)
    const here = (value: string): string => path.replaceAll(/\{\w+\}/g, value)
    if (path.includes('{')) found.push(here(text))
    for (const { name } of operation.parameters?.filter((one) => one.in === 'query') ?? []) {
      found.push(`${here('none')}?${name}=${text}`, `${here('none')}?${name}[${text}]=${text}`)
    }
  }
  return found
}

const countsSql = sql<{ tables: string; plans: string }>`
  SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public') AS tables, (SELECT count(*) FROM plans) AS plans`

test.each(attacks)('SQL in ids, filters and orderings stays text: %s', async (attack) => {
  const before = (await countsSql.execute(api.db)).rows
  const reads = readsWith(attack)
  expect(reads.length).toBeGreaterThan(80)
  for (const url of reads) {
    const { statusCode, body } = await api.app.inject(url)
    expect(statusCode, `${url}: ${body}`).toBeLessThan(500)
  }
  expect((await countsSql.execute(api.db)).rows).toEqual(before)
})

let meters = 0

test.each(attacks)('SQL in bodies is stored and counted as the text that it is: %s', async (attack) => {
  const post = async (url: string, payload: object, type = 'application/json') =>
    await api.app.inject({
      method: 'POST',
      url,
      headers: { 'content-type': type },
      payload: JSON.stringify(payload),
    })
  const before = (await countsSql.execute(api.db)).rows
  const slug = `injected_${(meters += 1)}`
  const path = `$['${attack.replaceAll("'", String.raw`\'`)}']`
  const meter = { slug, eventType: slug, aggregation: 'SUM', valueProperty: '$.n' }
  const made = await post('/api/v1/meters', { ...meter, groupBy: { by: '$.by', at: path } })
  expect(made.statusCode, made.body).toBeLessThan(500)
  if (made.statusCode >= 400) expect((await post('/api/v1/meters', meter)).statusCode).toBe(200)
  const named = { specversion: '1.0', id: attack, source: 'attacks', type: slug, subject: attack }
  const sent = await post('/api/v1/events', [
    { ...named, data: { n: 1, by: attack, [attack]: attack } },
    { ...named, id: `${attack}2`, subject: 'other', data: { n: 2, by: 'other' } },
  ])
  expect(sent.statusCode, sent.body).toBe(204)
  const queried = await post(`/api/v1/meters/${slug}/query`, {
    subject: [attack],
    ...(made.statusCode < 400 && { groupBy: ['by', 'at'], filterGroupBy: { by: [attack] } }),
  })
  expect(queried.json(), queried.body).toMatchObject({ data: [{ value: 1, subject: attack }] })
  expect((await countsSql.execute(api.db)).rows).toEqual(before)
})

test('a filter that is always true in SQL finds nothing', async () => {
  const found = async (query: string) =>
    (await api.app.inject(`/api/v1/plans?${query}`)).json<{ totalCount: number }>().totalCount
  expect(await found('key=one')).toBe(1)
  expect(await found(`key=${encodeURIComponent("one' OR '1'='1")}`)).toBe(0)
})

test('what a caller sends comes back in no header', async () => {
  const attack = encodeURIComponent('a\r\nset-cookie: stolen=1\r\n\r\n<script>')
  for (const url of [...readsWith('x\r\nset-cookie: a=b'), `/api/v1/nothing/${attack}?${attack}=${attack}`]) {
    const { headers } = await api.app.inject({ url, headers: { 'x-request-id': 'mine', host: 'localhost' } })
    expect(headers['set-cookie'], url).toBeUndefined()
    expect(headers['x-request-id'], url).not.toBe('mine')
    expect(JSON.stringify(headers), url).not.toContain('stolen')
  }
})

test('line ends in a header that we read are refused by Node before us, and a bad one by us', async () => {
  const bad = await api.app.inject({
    method: 'POST',
    url: '/api/v1/features',
    headers: { 'idempotency-key': 'a b\tc' },
    payload: { key: 'x', name: 'X' },
  })
  expect(bad.json()).toMatchObject({ status: 400, field: 'Idempotency-Key' })
})
