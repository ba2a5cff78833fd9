import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { parse } from 'csv-parse'
import { exactJson, readNumber } from '../../domain/exact-number.ts'
import { usageNumber } from '../../domain/meters.ts'
import { CliProblem } from '../problem.ts'
import { columnsOf } from './csv-mapping.ts'
import type { CsvMapping, Source } from './csv-mapping.ts'
import { instantOfCell, isLocalTime } from './local-time.ts'
import { acceptedRow, refusedRow } from './rows.ts'
import type { Row } from './rows.ts'

const RECORD_MAX_BYTES = 1_000_000
const numberPattern = new RegExp(usageNumber.pattern)

interface ParsedRecord {
  readonly record: readonly string[]
  readonly raw: string
  readonly info: { readonly lines: number }
}

/**
 * Rows of a CSV file as CloudEvents, streamed. The first record names the columns.
 * @throws CliProblem when a column of the mapping is missing
 */
export async function* csvRows(file: Readable, mapping: CsvMapping): AsyncGenerator<Row> {
  const skipped: Row[] = []
  const parser = parse({
    bom: true,
    info: true,
    raw: true,
    relax_column_count: true,
    // A stray quote is part of its cell: otherwise it would swallow the rows after it.
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: RECORD_MAX_BYTES,
    on_skip: (error, raw) => {
      const line = typeof error?.['lines'] === 'number' ? error['lines'] : 0
      skipped.push(refusedRow(line, (raw ?? '').trim(), error?.message ?? 'it is not CSV'))
      return undefined
    },
  })
  file.on('error', (error: Error) => parser.destroy(error))
  let rowToEvents: ((record: ParsedRecord) => Row) | null = null
  for await (const parsed of file.pipe(parser) as AsyncIterable<ParsedRecord>) {
    if (rowToEvents === null) rowToEvents = mapper(parsed.record, mapping)
    else yield rowToEvents(parsed)
    yield* skipped.splice(0)
  }
  yield* skipped
}

/** A row's refusal, on its way to the report. */
class Refusal extends Error {}

/** Reads the header and returns what turns each record after it into a row. */
function mapper(header: readonly string[], mapping: CsvMapping): (record: ParsedRecord) => Row {
  const indexes = new Map(header.map((name, index) => [name.trim(), index]))
  const missing = columnsOf(mapping).find((column) => !indexes.has(column))
  if (missing !== undefined) {
    throw new CliProblem({
      what: `The file has no column ${missing}`,
      why: `its first line names ${header.join(', ')}`,
      next: 'name one of these columns, or add the line with the names',
    })
  }
  const identify = idMaker(mapping)
  return ({ record, raw, info }) => {
    const original = raw.trim()
    const id = identify(record)
    try {
      if (record.length !== header.length) {
        throw new Refusal(`it has ${record.length} columns where the first line has ${header.length}`)
      }
      const cell = (column: string): string => (record[indexes.get(column) ?? -1] ?? '').trim()
      return acceptedRow(info.lines, original, eventsOf(mapping, { cell, id }))
    } catch (error) {
      if (error instanceof Refusal) return refusedRow(info.lines, original, error.message)
      throw error
    }
  }
}

/**
 * An id of all content up to and including the row: the same file makes the same ids, a file that grew at its end
 * makes the old ids for the old rows, and two like rows in one file differ. The mapping's fixed attributes are part
 * of it, so that one file may be loaded for two subjects.
 */
function idMaker({ type, subject }: CsvMapping): (record: readonly string[]) => string {
  let digest = createHash('sha256')
    .update(JSON.stringify([type, subject]))
    .digest()
  let row = 0
  return (record) => {
    digest = createHash('sha256').update(digest).update(JSON.stringify(record)).digest()
    return `${digest.toString('hex', 0, 16)}-${++row}`
  }
}

interface Cells {
  readonly cell: (column: string) => string
  readonly id: string
}

function eventsOf(mapping: CsvMapping, { cell, id }: Cells): readonly string[] {
  const read = (from: Source): string => ('literal' in from ? from.literal : filled(cell, from.column))
  const common = {
    specversion: '1.0',
    id: mapping.idColumn === null ? id : filled(cell, mapping.idColumn),
    source: read(mapping.source),
    type: read(mapping.type),
    subject: read(mapping.subject),
    ...(mapping.timeColumn === null ? {} : { time: timeOf(cell(mapping.timeColumn), mapping) }),
  }
  const data = dataOf(mapping, cell)
  if (mapping.explode === null) return [exactJson({ ...common, data })]
  const { kindName, kinds, valueName } = mapping.explode
  // A kind without a value did not happen.
  const present = kinds.filter(({ column }) => cell(column) !== '')
  return present.map(({ kind, column }) => {
    const value = numberOf(cell(column), column)
    return exactJson({
      ...common,
      id: `${common.id}-${kind}`,
      data: { ...data, [kindName]: kind, [valueName]: value },
    })
  })
}

function dataOf({ data }: CsvMapping, cell: (column: string) => string): Record<string, unknown> {
  const filledIn = data.filter(({ column }) => cell(column) !== '')
  return Object.fromEntries(
    filledIn.map(({ name, column, isNumber }) => [
      name,
      isNumber ? numberOf(cell(column), column) : cell(column),
    ]),
  )
}

function filled(cell: (column: string) => string, column: string): string {
  const text = cell(column)
  if (text === '') throw new Refusal(`the column ${column} is empty`)
  return text
}

function numberOf(text: string, column: string): unknown {
  if (numberPattern.test(text)) return readNumber(text.replace(/^\+/, ''))
  throw new Refusal(`the column ${column} is not a number: ${text.slice(0, 60)}`)
}

function timeOf(text: string, { timeColumn, timeZone }: CsvMapping): string {
  const at = instantOfCell(text, timeZone)
  if (at !== null) return at
  if (timeZone === null && isLocalTime(text))
    throw new Refusal(`the time ${text} has no zone: give --time-zone`)
  throw new Refusal(`the column ${timeColumn ?? ''} is not a time: ${text.slice(0, 60)}`)
}
