import { Readable } from 'node:stream'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseExactJson } from '../../src/api/event-body.ts'
import { parseDataOption, parseExplodeOption } from '../../src/cli/ingest/csv-mapping.ts'
import type { CsvMapping } from '../../src/cli/ingest/csv-mapping.ts'
import { csvRows } from '../../src/cli/ingest/csv-rows.ts'
import { ndjsonRows } from '../../src/cli/ingest/ndjson-rows.ts'
import { CliProblem } from '../../src/cli/problem.ts'
import { parseCloudEvents } from '../../src/domain/cloud-event.ts'
import { runs } from '../support/properties.ts'

const mapping: CsvMapping = {
  type: { literal: 't' },
  source: { literal: 's' },
  subject: { column: 'who' },
  timeColumn: 'at',
  timeZone: 'UTC',
  idColumn: null,
  data: [{ name: 'tokens', column: 'n', isNumber: true }],
  explode: null,
}
const cell = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    'acme',
    '2026-01-01 00:00:00',
    '1',
    '1e5',
    '12345678901234567890.123',
    '"',
    '""',
    'a"b',
    '"x\n"',
  ),
)

test('rows of CSV become events that we take ourselves, or are refused one by one', async () => {
  const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 6 })
  const files = fc.oneof(
    rows.map((lines) => Buffer.from(['who,at,n', ...lines.map((cells) => cells.join(','))].join('\n'))),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.concat([Buffer.from('who,at,n\n'), bytes])),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  )
  await fc.assert(
    fc.asyncProperty(files, async (file) => {
      try {
        for await (const { events } of csvRows(Readable.from([file]), mapping))
          for (const text of events)
            parseCloudEvents(parseExactJson(text), { nowMs: Date.now(), parseJson: parseExactJson })
      } catch (error) {
        expect(error).toBeInstanceOf(CliProblem)
      }
    }),
    { numRuns: runs(200) },
  )
})

test('lines of JSON are taken or refused one by one, whatever the bytes', async () => {
  const line = fc.oneof(fc.json(), fc.string({ unit: 'binary' }))
  const files = fc.oneof(
    fc.array(line).map((lines) => Buffer.from(lines.join('\n'))),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  )
  await fc.assert(
    fc.asyncProperty(files, async (file) => {
      for await (const { events, refusal } of ndjsonRows(Readable.from([file])))
        expect(events.length > 0).toBe(refusal === null)
    }),
    { numRuns: runs(200) },
  )
})

test('options of a mapping are read or refused with a way out', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.stringMatching(/^[a-z]{0,3}=?[a-z]{0,3}(:[a-z]{0,6})?(,[a-z]{0,2}:?[a-z]{0,2}){0,3}$/),
      ),
      (text) => {
        for (const parse of [() => parseDataOption(text), () => parseExplodeOption(text, 'v')]) {
          try {
            parse()
          } catch (error) {
            expect(error).toBeInstanceOf(CliProblem)
          }
        }
      },
    ),
    { numRuns: runs(400) },
  )
})
