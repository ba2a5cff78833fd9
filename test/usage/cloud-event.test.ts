import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BATCH_MAX, parseCloudEvents, parseRfc3339 } from '../../src/domain/cloud-event.ts'
import { isDomainError } from '../../src/domain/errors.ts'

const nowMs = Date.UTC(2025, 0, 31, 5)
const options = { nowMs, parseJson: (text: string): unknown => JSON.parse(text) }
const good = {
  specversion: '1.0',
  id: '1',
  source: 'app',
  type: 'prompt',
  subject: 'acme',
  data: { tokens: 1 },
}
const parse = (body: unknown) => parseCloudEvents(body, options)

test('an event without a time happened now', () => {
  expect(parse(good)[0]).toMatchObject({ id: '1', time: '2025-01-31T05:00:00.000000Z', data: { tokens: 1 } })
})

test('data may be JSON inside a string, and other text stays text', () => {
  expect(parse({ ...good, data: '{"tokens":2}' })[0]?.data).toEqual({ tokens: 2 })
  expect(parse({ ...good, data: '{half' })[0]?.data).toBe('{half')
})

const broken: readonly (readonly [string, unknown])[] = [
  ['specversion', { ...good, specversion: '0.3' }],
  ['specversion', { ...good, specversion: undefined }],
  ['id', { ...good, id: '' }],
  ['id', { ...good, id: 7 }],
  ['id', { ...good, id: 'x'.repeat(1025) }],
  ['source', { ...good, source: undefined }],
  ['source', { ...good, source: 'not a uri' }],
  ['type', { ...good, type: null }],
  ['subject', { ...good, subject: undefined }],
  ['time', { ...good, time: '2025-02-30T00:00:00Z' }],
  ['time', { ...good, time: 1_700_000_000 }],
  ['datacontenttype', { ...good, datacontenttype: 'text/xml' }],
  ['data_base64', { ...good, data_base64: 'AA==' }],
  ['data.a[1]', { ...good, data: { a: ['', '\ud800'] } }],
]

test.each(broken)('a wrong %s refuses the event, naming it', (field, event) => {
  expect(() => parse(event)).toThrow(expect.objectContaining({ code: 'invalid_cloud_event', field }))
  const inBatch = expect.objectContaining({ code: 'invalid_cloud_event', field: `[1].${field}` })
  expect(() => parse([good, event])).toThrow(inBatch)
})

test('a NUL character is refused where it is, in values and in names', () => {
  const nul = (field: string) => expect.objectContaining({ code: 'nul_character', field })
  expect(() => parse([good, { ...good, data: { a: 'x\0' } }])).toThrow(nul('[1].data.a'))
  expect(() => parse([{ ...good, subject: 'x\0' }])).toThrow(nul('[0].subject'))
  expect(() => parse({ ...good, data: { 'a\0': 1 } })).toThrow(nul('data.a\\u0000'))
})

test('what is no object, too many or too deep is refused', () => {
  expect(() => parse([good, 'text'])).toThrow(expect.objectContaining({ field: '[1]' }))
  expect(() => parse(null)).toThrow(expect.objectContaining({ field: 'body' }))
  expect(() => parse(Array.from({ length: BATCH_MAX + 1 }, () => good))).toThrow(`at most ${BATCH_MAX}`)
  let deep: unknown = 1
  for (let level = 0; level < 70; level++) deep = [deep]
  expect(() => parse({ ...good, data: deep })).toThrow('nested deeper')
})

test('any JSON is either read or refused with a field', () => {
  const member = fc.oneof(fc.string(), fc.jsonValue())
  const event = fc.record({
    id: member,
    source: member,
    type: member,
    subject: member,
    time: member,
    data: member,
  })
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), event), (body) => {
      try {
        parse(body)
      } catch (error) {
        expect(isDomainError(error) && typeof error.field).toBe('string')
      }
    }),
  )
})

test('rule 2: digits finer than microseconds are cut, so that no event moves over the end of its period', () => {
  expect(parseRfc3339('2025-01-31T23:59:59.9999999Z')).toBe('2025-01-31T23:59:59.999999Z')
})

test.each([
  ['2025-01-31T05:00:00+05:45', '2025-01-30T23:15:00.000000Z'],
  ['2024-02-29t23:30:00.5-00:30', '2024-03-01T00:00:00.500000Z'],
  ['2025-02-29T00:00:00Z', null],
  ['2025-01-31T24:00:00Z', null],
  ['2025-01-31T05:00:60Z', null],
  ['2025-01-31T05:00:00', null],
  ['0000-01-01T00:00:00Z', null],
  ['0001-03-10T12:00:00Z', null],
  ['1969-12-31T23:59:59Z', null],
  ['1970-01-01T00:30:00+01:00', null],
  ['1969-12-31T23:30:00-01:00', '1970-01-01T00:30:00.000000Z'],
  ['9998-12-31T23:59:59Z', '9998-12-31T23:59:59.000000Z'],
  ['9998-12-31T23:59:59-01:00', null],
  ['9999-01-01T00:00:00Z', null],
])('the instant %s is %s', (text, expected) => {
  expect(parseRfc3339(text)).toBe(expected)
})

test('every instant of the clock is read as itself', () => {
  const instants = fc.date({
    min: new Date('1970-01-01T00:00:00Z'),
    max: new Date('9998-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  })
  fc.assert(
    fc.property(instants, (at) => {
      expect(Date.parse(parseRfc3339(at.toISOString()) ?? '')).toBe(at.getTime())
    }),
  )
})
