import { OpenMeter } from '@openmeter/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi } from '../api/support.ts'
import type { TestApi } from '../api/support.ts'

let api: TestApi
let client: OpenMeter
beforeAll(async () => {
  api = await startTestApi()
  client = new OpenMeter({ baseUrl: await api.app.listen({ host: '127.0.0.1', port: 0 }) })
  const groupBy = { model: '$.model' }
  await client.meters.create({
    slug: 'tokens',
    eventType: 'prompt',
    aggregation: 'SUM',
    valueProperty: '$.tokens',
    groupBy,
  })
})
afterAll(async () => {
  await api.close()
})

const cloudEvent = (fields: object = {}) => ({
  specversion: '1.0',
  id: '1',
  source: 'test',
  type: 'prompt',
  subject: 'acme',
  time: '2025-01-15T12:00:00Z',
  data: { tokens: 1 },
  ...fields,
})
const post = async (body: unknown, contentType = 'application/cloudevents-batch+json') =>
  await api.app.inject({
    method: 'POST',
    url: '/api/v1/events',
    headers: { 'content-type': contentType },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  })
const get = async (url: string, accept = 'application/json') =>
  await api.app.inject({ url, headers: { accept } })

test('the client creates, reads, changes and deletes a meter', async () => {
  const created = await client.meters.create({
    slug: 'calls',
    eventType: 'call',
    aggregation: 'COUNT',
    description: 'All calls',
  })
  expect(created).toMatchObject({
    slug: 'calls',
    name: 'calls',
    aggregation: 'COUNT',
    createdAt: expect.any(Date),
  })
  expect(await client.meters.get('calls')).toEqual(created)
  expect(await client.meters.get(created?.id ?? '')).toEqual(created)
  expect((await client.meters.list())?.map(({ slug }) => slug)).toEqual(['tokens', 'calls'])
  const changed = await client.meters.update('calls', { name: 'Calls', groupBy: { region: '$.region' } })
  expect(changed).toMatchObject({ name: 'Calls', description: 'All calls', groupBy: { region: '$.region' } })
  await client.meters.delete('calls')
  await expect(client.meters.get('calls')).rejects.toMatchObject({ status: 404 })
  const again = await client.meters.create({ slug: 'calls', eventType: 'call', aggregation: 'COUNT' })
  expect(again?.id).not.toBe(created?.id)
  await client.meters.delete('calls')
})

test.each([
  [{ valueProperty: 'tokens' }, 400, 'invalid_json_path', 'valueProperty'],
  [{ valueProperty: '$..tokens' }, 400, 'invalid_json_path', 'valueProperty'],
  [{ valueProperty: undefined }, 400, 'invalid_meter', 'valueProperty'],
  [{ groupBy: { a: '$[*]' } }, 400, 'invalid_json_path', 'groupBy.a'],
  [{ groupBy: { subject: '$.s' } }, 400, 'invalid_meter', 'groupBy.subject'],
  [{ slug: 'not a slug' }, 400, 'invalid_meter', 'slug'],
  [{ slug: 'tokens' }, 409, 'duplicate_key', 'slug'],
  [{ aggregation: 'MEDIAN' }, 400, 'validation_failed', 'aggregation'],
])('a meter with %o is refused with %d %s', async (fields, status, code, field) => {
  const meter = { slug: 'bad', eventType: 'prompt', aggregation: 'SUM', valueProperty: '$.tokens', ...fields }
  const response = await api.app.inject({ method: 'POST', url: '/api/v1/meters', payload: meter })
  expect(response.json()).toMatchObject({ status, code, field })
})

test('a meter that a feature counts by stays', async () => {
  await client.meters.create({
    slug: 'used',
    eventType: 'use',
    aggregation: 'COUNT',
    groupBy: { zone: '$.zone' },
  })
  await client.features.create({
    key: 'used_feature',
    name: 'Used',
    meterSlug: 'used',
    meterGroupByFilters: { zone: 'eu' },
  })
  const refused = await api.app.inject({ method: 'DELETE', url: '/api/v1/meters/used' })
  expect(refused.json()).toMatchObject({ status: 409, code: 'meter_in_use' })
  const narrowed = await api.app.inject({
    method: 'PUT',
    url: '/api/v1/meters/used',
    payload: { groupBy: {} },
  })
  expect(narrowed.json()).toMatchObject({ status: 409, code: 'meter_in_use', field: 'groupBy.zone' })
})

test('rule 7: headers count what is new, duplicate and of no use', async () => {
  const events = [
    cloudEvent({ id: 'h1' }),
    cloudEvent({ id: 'h2', type: 'mystery' }),
    cloudEvent({ id: 'h1' }),
  ]
  const counts = (response: Awaited<ReturnType<typeof post>>) =>
    ['stored', 'duplicate', 'invalid'].map((name) => response.headers[`perennial-events-${name}`])
  const first = await post(events)
  expect([first.statusCode, first.body, counts(first)]).toEqual([204, '', ['2', '1', '1']])
  expect(counts(await post(events))).toEqual(['0', '3', '0'])
})

test.each([
  'application/cloudevents+json',
  'application/json',
  'application/cloudevents+json; charset=utf-8',
])('one event is taken as %s', async (contentType) => {
  expect((await post(cloudEvent({ id: contentType }), contentType)).headers['perennial-events-stored']).toBe(
    '1',
  )
})

test('a malformed event refuses the whole batch, naming event and field', async () => {
  const response = await post([
    cloudEvent({ id: 'whole-1' }),
    cloudEvent({ id: 'whole-2', subject: undefined }),
  ])
  expect(response.headers['content-type']).toContain('application/problem+json')
  expect(response.json()).toMatchObject({ status: 400, code: 'invalid_cloud_event', field: '[1].subject' })
  expect((await get('/api/v1/events?id=whole')).json()).toEqual([])
})

test.each([
  ['{"half":', 'application/json', 400, 'malformed_body', 'body'],
  ['', 'application/json', 400, 'malformed_body', 'body'],
  ['['.repeat(100_000), 'application/json', 400, 'malformed_body', 'body'],
  ['<xml/>', 'application/xml', 415, 'unsupported_media_type', 'content-type'],
  ['[]', 'application/cloudevents+json', 400, 'invalid_cloud_event', 'body'],
  ['{}', 'application/cloudevents-batch+json', 400, 'invalid_cloud_event', 'body'],
  [JSON.stringify(cloudEvent({ data: { a: '\0' } })), 'application/json', 400, 'nul_character', 'data.a'],
  [JSON.stringify([cloudEvent({ subject: 'a\0' })]), 'application/json', 400, 'nul_character', '[0].subject'],
  ['x'.repeat(10_000_000), 'application/json', 413, 'body_too_large', 'body'],
])('a body of %.20s… as %s is refused with %d %s', async (body, contentType, status, code, field) => {
  const problem = (await post(body, contentType)).json<{ field?: string }>()
  expect(problem).toMatchObject({ status, code })
  expect(problem.field).toBe(field)
})

test('numbers keep all their digits from the event to the query', async () => {
  const literals = ['12345678901234567890.123456789', '0.1', '0.2', '1e3']
  const event = (literal: string, index: number) =>
    JSON.stringify(cloudEvent({ id: `digits-${index}`, subject: 'digits', data: { tokens: 0 } })).replace(
      '"tokens":0',
      `"tokens":${literal}`,
    )
  await post(`[${literals.map(event).join(',')}]`)
  const usage = await get(
    '/api/v1/meters/tokens/query?subject=digits&from=2025-01-01T00:00:00Z&to=2025-02-01T00:00:00Z',
  )
  expect(usage.body).toBe(
    '{"from":"2025-01-01T00:00:00.000Z","to":"2025-02-01T00:00:00.000Z","data":[{"value":12345678901234568890.423456789,' +
      '"windowStart":"2025-01-01T00:00:00.000Z","windowEnd":"2025-02-01T00:00:00.000Z","subject":"digits","groupBy":{}}]}',
  )
  expect((await get('/api/v1/events?subject=digits')).body).toContain(
    '"data":{"tokens": 12345678901234567890.123456789}',
  )
})

test('a number like 1e400 is stored, with its validation error', async () => {
  await post(
    JSON.stringify([cloudEvent({ id: 'huge', data: { tokens: 0 } })]).replace('"tokens":0', '"tokens":1e400'),
  )
  const [listed] = (await get('/api/v1/events?id=huge')).json<[{ event: object; validationError: string }]>()
  expect(listed.event).toMatchObject({ data: { tokens: '1e400' } })
  expect(listed.validationError).toContain('not a number within')
})

test('a document cannot pretend to be a number', async () => {
  const data = { tokens: { isLosslessNumber: true, value: '1}' }, big: 0 }
  const response = await post(
    JSON.stringify([cloudEvent({ id: 'pretender', data })]).replace('"big":0', '"big":1e30'),
  )
  expect(response.headers['perennial-events-invalid']).toBe('1')
})

test('the client ingests, lists and queries', async () => {
  const time = new Date('2025-05-01T10:30:00Z')
  const event = { type: 'prompt', subject: 'sdk', time, data: { tokens: 5, model: 'small' } }
  await client.events.ingest([event, { ...event, data: { tokens: '7', model: 'large' } }])
  const [listed] = (await client.events.list({ subject: 'sdk', limit: 1 })) ?? []
  expect(listed).toMatchObject({
    event: { subject: 'sdk', source: '@openmeter/sdk', time },
    storedAt: expect.any(Date),
  })
  const page = await client.events.listV2({ limit: 1, filter: JSON.stringify({ subject: { $eq: 'sdk' } }) })
  const filter = JSON.stringify({ subject: { $in: ['sdk'] }, time: { $gte: time.toISOString() } })
  const rest = await client.events.listV2({ filter, ...(page?.nextCursor && { cursor: page.nextCursor }) })
  expect([page?.items.length, rest?.items.length, rest?.nextCursor]).toEqual([1, 1, undefined])

  const query = {
    windowSize: 'DAY',
    windowTimeZone: 'Asia/Kathmandu',
    groupBy: ['model'],
    subject: ['sdk'],
  } as const
  const usage = await client.meters.query('tokens', { ...query, groupBy: ['model'], subject: ['sdk'] })
  const day = {
    windowStart: new Date('2025-04-30T18:15:00Z'),
    windowEnd: new Date('2025-05-01T18:15:00Z'),
    subject: 'sdk',
  }
  expect(usage.data).toEqual([
    { ...day, value: 7, groupBy: { model: 'large' } },
    { ...day, value: 5, groupBy: { model: 'small' } },
  ])
  const filtered = await client.meters.query('tokens', {
    subject: ['sdk'],
    filterGroupBy: { model: 'small' },
  })
  expect(filtered.data).toMatchObject([{ value: 5 }])
  const posted = await client.meters.queryPost('tokens', {
    subject: ['sdk'],
    filterGroupBy: { model: ['small', 'large'] },
  })
  expect(posted).toMatchObject({ data: [{ value: 12 }] })
  const advanced = await client.meters.queryPost('tokens', {
    subject: ['sdk'],
    advancedMeterGroupByFilters: { model: { $in: ['large'] } },
  })
  expect(advanced).toMatchObject({ data: [{ value: 7 }] })
  expect(await client.meters.listGroupByValues('tokens', 'model')).toEqual(['large', 'small'])
  expect((await get('/api/v1/meters/tokens/subjects?from=2025-05-01T00:00:00Z')).json()).toEqual(['sdk'])
})

test('every row of a query says its window, its groups and its customer, in one order', async () => {
  const customer = { id: 'cust-rows', name: 'Rows' }
  await api.db.insertInto('customers').values(customer).execute()
  await api.db
    .insertInto('customerSubjects')
    .values({ customerId: customer.id, subjectKey: 'rows' })
    .execute()
  const used = [
    ['one', 'a"b'],
    ['two', 'é'],
    ['one', undefined],
  ] as const
  const events = used.map(([hour, model], index) => {
    const time = `2025-01-15T1${hour === 'one' ? 1 : 2}:30:00Z`
    return cloudEvent({
      id: `rows-${index}`,
      subject: 'rows',
      time,
      data: { tokens: `${index + 1}.50`, model },
    })
  })
  await post(events)
  const response = await get(
    '/api/v1/meters/tokens/query?subject=rows&filterCustomerId=cust-rows&groupBy=model&windowSize=HOUR',
  )
  const row = (value: string, hour: number, model: string) =>
    `{"value":${value},"windowStart":"2025-01-15T${hour}:00:00.000Z","windowEnd":"2025-01-15T${hour + 1}:00:00.000Z",` +
    `"subject":"rows","groupBy":{"model":${model}},"customerId":"cust-rows"}`
  expect(response.body).toBe(
    `{"windowSize":"HOUR","data":[${row('1.5', 11, '"a\\"b"')},${row('3.5', 11, 'null')},${row('2.5', 12, '"é"')}]}`,
  )
})

test('a query for CSV answers CSV', async () => {
  await post([cloudEvent({ id: 'csv', subject: '=1+"1"', data: { tokens: 3, model: 'a,b' } })])
  const subject = encodeURIComponent('=1+"1"')
  const response = await get(
    `/api/v1/meters/tokens/query?subject=${subject}&groupBy=model&windowSize=HOUR`,
    'text/csv',
  )
  expect(response.headers['content-type']).toBe('text/csv; charset=utf-8')
  expect(response.body).toBe(
    'window_start,window_end,subject,model,value\n' +
      '2025-01-15T12:00:00.000Z,2025-01-15T13:00:00.000Z,"\'=1+""1""","a,b",3\n',
  )
})

test.each([
  ['from=2025-01-01T00:00:30Z&windowSize=MINUTE', 'validation_failed', 'from'],
  ['to=2025-01-01T00:00:00Z&windowSize=DAY&windowTimeZone=America/New_York', 'validation_failed', 'to'],
  ['from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z', 'validation_failed', 'to'],
  ['windowSize=WEEK', 'validation_failed', 'windowSize'],
  ['windowTimeZone=Mars/Olympus', 'invalid_time_zone', 'windowTimeZone'],
  ['groupBy=region', 'validation_failed', 'groupBy'],
  ['filterGroupBy[region]=eu', 'validation_failed', 'filterGroupBy.region'],
  ['filterCustomerId=nobody', 'validation_failed', 'filterCustomerId'],
])('a query with %s is refused', async (query, code, field) => {
  expect((await get(`/api/v1/meters/tokens/query?${query}`)).json()).toMatchObject({
    status: 400,
    code,
    field,
  })
})

test('usage is filtered and grouped by customer', async () => {
  const customer = { id: 'cust-1', name: 'Acme' }
  await api.db.insertInto('customers').values(customer).execute()
  const subjects = ['seat-1', 'seat-2'].map((subjectKey) => ({ customerId: customer.id, subjectKey }))
  await api.db.insertInto('customerSubjects').values(subjects).execute()
  await post(['seat-1', 'seat-2', 'seat-3'].map((subject) => cloudEvent({ id: `seat-${subject}`, subject })))
  const usage = (await get('/api/v1/meters/tokens/query?filterCustomerId=cust-1')).json<{ data: object[] }>()
  expect(usage.data).toMatchObject([{ value: 2, customerId: 'cust-1', subject: null, groupBy: {} }])
  const listed = (await get('/api/v1/events?customerId=cust-1')).json<{ customerId: string }[]>()
  expect(listed.map(({ customerId }) => customerId)).toEqual(['cust-1', 'cust-1'])
})
