import * as fc from 'fast-check'
import { Stripe } from 'stripe'
import { expect, test } from 'vitest'
import { eventCursorListOf, writeCursor } from '../../src/api/event-list-input.ts'
import { eventsOf, parseExactJson, readJsonBody } from '../../src/api/event-body.ts'
import { parseInstant } from '../../src/api/instants.ts'
import { requireStorable } from '../../src/api/storable-text.ts'
import { instantOfCell } from '../../src/cli/ingest/local-time.ts'
import {
  addDuration,
  isTimeZone,
  parseCadence,
  parseDuration,
  parseTerm,
  zoned,
} from '../../src/domain/calendar.ts'
import { parseRfc3339 } from '../../src/domain/cloud-event.ts'
import { formatDecimal, parseDecimal } from '../../src/domain/decimal.ts'
import { exactJson } from '../../src/domain/exact-number.ts'
import { formatJsonPath, parseJsonPath } from '../../src/domain/json-path.ts'
import { isDomainError } from '../../src/domain/errors.ts'
import { verifyWebhook } from '../../src/stripe/webhooks.ts'
import { runs } from '../support/properties.ts'

/** What a parser makes of its input; null where it refuses in the way that it says. */
function accepted<T>(parse: () => T): T | null {
  try {
    return parse()
  } catch (error) {
    if (isDomainError(error)) return null
    throw error
  }
}

/** Every text, and text that is nearly right. */
const near = (pattern: RegExp): fc.Arbitrary<string> =>
  fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.stringMatching(pattern))

const RUNS = { numRuns: runs(400) }

test('a duration, a term or a cadence is refused, or means the same when it is written again', () => {
  const texts = near(/^P(\d{1,20}(\.\d{1,12})?[YMWD]){0,4}(T(\d{1,20}(\.\d{1,12})?[HMS]){0,3})?$/)
  fc.assert(
    fc.property(texts, (text) => {
      const duration = accepted(() => parseDuration(text))
      if (duration !== null) expect(parseDuration(duration.toString()).toString()).toBe(duration.toString())
      if (accepted(() => parseTerm(text)) !== null) {
        const now = Date.UTC(2026, 0, 31)
        expect(addDuration(now, text, 'Europe/Berlin')).toBeGreaterThanOrEqual(now)
      }
      const cadence = accepted(() => parseCadence(text))
      if (cadence !== null) {
        const again = `P${cadence.count}${cadence.unit === 'month' ? 'M' : 'D'}`
        expect(parseCadence(again)).toEqual(cadence)
      }
    }),
    RUNS,
  )
})

test('a zone is known or it is not; a known one gives the instant back', () => {
  const zones = fc.oneof(
    near(/^[A-Za-z_/+:-]{1,30}$/),
    fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
  )
  fc.assert(
    fc.property(zones, fc.integer({ min: 0, max: 4_102_444_800_000 }), (zone, ms) => {
      const time = accepted(() => zoned(ms, zone))
      if (isTimeZone(zone)) expect(time?.epochMilliseconds).toBe(ms)
    }),
    RUNS,
  )
})

test('a decimal is refused, or is the same number when it is written again', () => {
  fc.assert(
    fc.property(near(/^[+-]?\d{0,70}\.?\d{0,70}(e[+-]?\d{1,4})?$/), (text) => {
      const value = accepted(() => parseDecimal(text))
      if (value !== null) expect(parseDecimal(formatDecimal(value)).eq(value)).toBe(true)
    }),
    RUNS,
  )
})

test('an instant is refused, or is the same when it is written again', () => {
  const texts = near(/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,40})?(Z|[+-]\d\d:\d\d)?$/)
  fc.assert(
    fc.property(texts, fc.constantFrom(null, 'UTC', 'America/New_York', 'nowhere'), (text, zone) => {
      for (const read of [parseRfc3339(text), instantOfCell(text, zone)])
        if (read !== null) expect(parseRfc3339(read)).toBe(read)
      const at = accepted(() => parseInstant(text, 'at'))
      if (at !== null) expect(parseInstant(at.toISOString(), 'at')).toEqual(at)
    }),
    RUNS,
  )
})

test('a path is refused, or is the same path when it is written again', () => {
  fc.assert(
    fc.property(
      near(/^\$(\.[a-z0-9_-]{0,6}|\[\d{0,12}\]|\['?[^\]]{0,8}'?\]|\["[^\]]{0,8}"\]){0,20}$/),
      (text) => {
        const path = accepted(() => parseJsonPath(text))
        if (path !== null) expect(parseJsonPath(formatJsonPath(path))).toEqual(path)
      },
    ),
    RUNS,
  )
})

const member = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.bigInt().map(String))
const cloudEvent = fc.record(
  {
    specversion: fc.oneof(fc.constant('1.0'), member),
    id: fc.oneof(fc.string({ minLength: 1 }), member),
    source: fc.oneof(fc.constant('s'), member),
    type: fc.oneof(fc.constant('t'), member),
    subject: fc.oneof(fc.constant('c'), member),
    time: fc.oneof(fc.constant('2026-01-31T23:59:59.9999999Z'), member),
    datacontenttype: fc.oneof(fc.constant('application/json'), member),
    data: fc.oneof(fc.jsonValue({ maxDepth: 5 }), fc.json(), member),
  },
  { requiredKeys: ['specversion', 'id', 'source', 'type', 'subject'] },
)
const contentTypes = fc.constantFrom(
  'application/json',
  'application/cloudevents+json',
  'application/cloudevents-batch+json; charset=utf-8',
)

test('a body of events is refused, or its data is the same when it is written and read again', () => {
  const json = fc
    .oneof(cloudEvent, fc.array(cloudEvent, { maxLength: 4 }))
    .map((value) => JSON.stringify(value))
  const bytes = fc.oneof(
    json.map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  )
  const now = new Date('2026-02-01T00:00:00Z')
  fc.assert(
    fc.property(bytes, contentTypes, (body, contentType) => {
      const events = accepted(() => eventsOf(readJsonBody(body), contentType, now))
      for (const { dataText } of events ?? [])
        if (dataText !== null) expect(exactJson(parseExactJson(dataText))).toBe(dataText)
    }),
    RUNS,
  )
})

test.each([10, 100, 1000, 100_000])(
  'a body that is nested %i deep is read or refused, never a broken stack',
  (depth) => {
    const lists = '['.repeat(depth) + ']'.repeat(depth)
    const objects = '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)
    for (const inner of [lists, objects, `[1.00000000000000000001,${lists}]`]) {
      const event = `{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"c","data":{"x":${inner}}}`
      accepted(() => eventsOf(readJsonBody(Buffer.from(event)), 'application/json', new Date()))
      accepted(() => requireStorable(JSON.parse(inner)))
      accepted(() => eventCursorListOf({ filter: inner }))
    }
  },
)

test('a cursor is refused, or names the same place when it is written again', () => {
  const cursors = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .tuple(near(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/), near(/^\d{1,20}$/))
      .map((parts) => Buffer.from(parts.join(',')).toString('base64url')),
  )
  fc.assert(
    fc.property(cursors, (cursor) => {
      const after = accepted(() => eventCursorListOf({ cursor }))?.after ?? null
      if (after !== null) expect(eventCursorListOf({ cursor: writeCursor(after) }).after).toEqual(after)
    }),
    RUNS,
  )
})

test('a filter of the list of events is refused or read', () => {
  const operator = fc.constantFrom('$eq', '$ne', '$in', '$nin', '$gt', '$lte', 'x')
  const operand = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.string()),
    fc.constant('2026-01-01T00:00:00Z'),
  )
  const columns = fc.constantFrom('id', 'subject', 'time', 'ingestedAt', 'customerId', 'x')
  const filters = fc.dictionary(columns, fc.dictionary(operator, operand, { maxKeys: 2 }), { maxKeys: 3 })
  fc.assert(
    fc.property(
      fc.oneof(
        filters.map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      (filter) => {
        accepted(() => eventCursorListOf({ filter }))
      },
    ),
    RUNS,
  )
})

test('a webhook is refused, or names what is of use in it, whatever was signed', () => {
  const secret = 'whsec_property'
  const object = fc.dictionary(
    fc.constantFrom('id', 'object', 'customer', 'invoice', 'metadata'),
    fc.jsonValue(),
  )
  const event = fc.record(
    {
      id: fc.oneof(fc.constant('evt_1'), fc.jsonValue()),
      object: fc.constantFrom('event', 'v2.core.event'),
      type: fc.oneof(fc.constant('invoice.paid'), fc.jsonValue()),
      created: fc.oneof(fc.nat(), fc.double(), fc.jsonValue()),
      livemode: fc.oneof(fc.boolean(), fc.jsonValue()),
      data: fc.oneof(fc.record({ object }), fc.jsonValue()),
    },
    { requiredKeys: ['object', 'data'] },
  )
  const payloads = fc.oneof(
    event.map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(payloads, (payload) => {
      const header = Stripe.webhooks.generateTestHeaderString({ payload, secret })
      const read = accepted(() => verifyWebhook({ rawBody: Buffer.from(payload), header, secrets: [secret] }))
      if (read === null) return
      expect(read.id).toMatch(/^[\x21-\x7e]{1,255}$/)
      expect(Number.isNaN(new Date(read.createdMs).getTime())).toBe(false)
      expect(typeof read.livemode).toBe('boolean')
      requireStorable(read)
    }),
    RUNS,
  )
})

test('any header of a signature is refused when it is not ours', () => {
  const headers = near(/^(t=\d{1,12},)?(v[01]=[0-9a-f]{0,64},?){0,3}$/)
  fc.assert(
    fc.property(headers, (header) => {
      const rawBody = Buffer.from('{"id":"evt_1","object":"event","type":"t","created":1}')
      expect(accepted(() => verifyWebhook({ rawBody, header, secrets: ['whsec_x'] }))).toBeNull()
    }),
    RUNS,
  )
})
