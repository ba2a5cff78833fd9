import type { BadRequest } from './send.ts'

const good = {
  specversion: '1.0',
  id: 'good',
  source: 'bad-input',
  type: 'request',
  subject: 'good',
  data: { tokens: 1, kind: 'context' },
}
const path = '/api/v1/events'
const batch = 'application/cloudevents-batch+json'

/** In the middle of a batch whose other events are fine. */
const inBatch = (
  name: string,
  changes: object,
  refusal: Pick<BadRequest, 'field' | 'detail'> & { code?: string },
): BadRequest => ({
  name: `an event ${name} in the middle of a batch`,
  path,
  contentType: batch,
  body: [
    { ...good, id: 'first' },
    { ...good, id: 'middle', ...changes },
    { ...good, id: 'last' },
  ],
  status: 400,
  code: 'invalid_cloud_event',
  ...refusal,
})

export const eventCases: readonly BadRequest[] = [
  inBatch(
    'without a subject',
    { subject: undefined },
    { field: '[1].subject', detail: /subject is missing/ },
  ),
  inBatch('with an empty id', { id: '' }, { field: '[1].id', detail: /id is empty/ }),
  inBatch(
    'whose type is a number',
    { type: 7 },
    { field: '[1].type', detail: /type has to be text; it is 7/ },
  ),
  inBatch('of another specversion', { specversion: '0.3' }, { field: '[1].specversion', detail: /"1\.0"/ }),
  inBatch(
    'whose source is no URI',
    { source: 'two words' },
    { field: '[1].source', detail: /URI reference/ },
  ),
  inBatch(
    'at an impossible time',
    { time: '2026-02-30T00:00:00Z' },
    { field: '[1].time', detail: /RFC 3339/ },
  ),
  inBatch(
    'in the year 1',
    { time: '0001-03-10T12:00:00Z' },
    { field: '[1].time', detail: /of the years 1970 to 9998/ },
  ),
  inBatch(
    'in the year 10000',
    { time: '+010000-01-01T00:00:00Z' },
    { field: '[1].time', detail: /RFC 3339/ },
  ),
  inBatch(
    'with an id of 2 KB',
    { id: 'x'.repeat(2048) },
    { field: '[1].id', detail: /longer than 1024 bytes/ },
  ),
  inBatch('with binary data', { data_base64: 'AA==' }, { field: '[1].data_base64', detail: /JSON in data/ }),
  inBatch('with half a surrogate pair', { subject: '\uD800' }, { field: '[1].subject', detail: /surrogate/ }),
  inBatch(
    'with a NUL character in its subject',
    { subject: 'a\0b' },
    { code: 'nul_character', field: '[1].subject', detail: /remove it/ },
  ),
  inBatch(
    'with a NUL character in its source',
    { source: 'a\0b' },
    { code: 'nul_character', field: '[1].source', detail: /remove it/ },
  ),
  inBatch(
    'with a NUL character in its data',
    { data: { tokens: 1, kind: ['\0'] } },
    { code: 'nul_character', field: '[1].data.kind[0]', detail: /remove it/ },
  ),
  inBatch(
    'with a NUL character in a name of its data',
    { data: { 'a\0b': 1 } },
    { code: 'nul_character', field: '[1].data.a\\u0000b', detail: /remove it/ },
  ),
  {
    name: 'an event that is text',
    path,
    contentType: batch,
    body: [good, 'text'],
    status: 400,
    code: 'invalid_cloud_event',
    field: '[1]',
    detail: /JSON object/,
  },
  {
    name: 'a batch sent as one event',
    path,
    contentType: 'application/cloudevents+json',
    body: [good],
    status: 400,
    code: 'invalid_cloud_event',
    field: 'body',
    detail: /application\/cloudevents-batch\+json/,
  },
  {
    name: 'a batch of 10,001 events',
    path,
    contentType: batch,
    body: Array.from({ length: 10_001 }, () => ({})),
    status: 400,
    code: 'invalid_cloud_event',
    field: 'body',
    detail: /at most 10000/,
  },
  {
    name: 'a batch that breaks off',
    path,
    contentType: batch,
    body: `[${JSON.stringify(good)},`,
    status: 400,
    code: 'malformed_body',
    field: 'body',
    detail: /not JSON/,
  },
  {
    name: 'an event sent as a form',
    path,
    contentType: 'application/x-www-form-urlencoded',
    body: 'id=1',
    status: 415,
    code: 'unsupported_media_type',
    detail: /came as application\/x-www-form-urlencoded/,
  },
  {
    name: 'a filter of events that is no JSON',
    path: '/api/v2/events?filter=%7B',
    status: 400,
    code: 'validation_failed',
    field: 'filter',
    detail: /JSON/,
  },
  {
    name: 'a filter of events by an unknown field',
    path: `/api/v2/events?filter=${encodeURIComponent('{"subjects":{"$eq":"a"}}')}`,
    status: 400,
    code: 'validation_failed',
    field: 'filter',
    detail: /id, source, type and subject know/,
  },
  {
    name: 'a filter of events with an escaped NUL character',
    path: `/api/v2/events?filter=${encodeURIComponent('{"subject":{"$eq":"a\\u0000b"}}')}`,
    status: 400,
    code: 'nul_character',
    field: 'filter.subject.$eq',
    detail: /remove it/,
  },
  {
    name: 'a cursor that nobody made',
    path: '/api/v2/events?cursor=AAAA',
    status: 400,
    code: 'validation_failed',
    field: 'cursor',
    detail: /cursor/,
  },
]
