import { Command, InvalidArgumentError, Option } from 'commander'
import { isTimeZone } from '../../domain/calendar.ts'
import { BATCH_MAX } from '../../domain/cloud-event.ts'
import { parseDataOption, parseExplodeOption } from '../ingest/csv-mapping.ts'
import type { CsvMapping, DataColumn, Source } from '../ingest/csv-mapping.ts'
import { assertReadable, ingestFile } from '../ingest/ingest-file.ts'
import type { IngestSummary } from '../ingest/ingest-file.ts'
import type { Row } from '../ingest/rows.ts'
import { progressBar } from '../ingest/progress-bar.ts'
import { jsonOption, withTarget } from '../options.ts'
import { printData, say, textFields } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { CliProblem } from '../problem.ts'
import { targetOf } from '../target.ts'
import type { TargetOptions } from '../target.ts'

type Attribute = 'type' | 'subject' | 'source'

interface Options extends TargetOptions, OutputOptions {
  readonly format?: 'csv' | 'ndjson'
  readonly type?: string
  readonly typeColumn?: string
  readonly subject?: string
  readonly subjectColumn?: string
  readonly source?: string
  readonly sourceColumn?: string
  readonly timeColumn?: string
  readonly timeZone?: string
  readonly idColumn?: string
  readonly data?: readonly string[]
  readonly explode?: string
  readonly valueName: string
  readonly batchSize: number
  readonly report?: string
}

const DEFAULT_BATCH = 2000
const NO_USE =
  'Events without a meter are kept, and counted once one can use them: GET /api/v1/events says of each why none can'

export function ingestCommand(): Command {
  return withTarget(
    new Command('ingest').argument('<file>', 'CSV with a header line, or a CloudEvent a line'),
  )
    .description('Load a file of usage; safe to run again: what is there already counts as duplicate')
    .addOption(
      new Option('--format <format>', 'left out: by the name of the file').choices(['csv', 'ndjson']),
    )
    .option('--type <type>', 'CSV: type of the events')
    .option('--type-column <column>', 'CSV: column that holds the type')
    .option('--subject <key>', 'CSV: whose usage it is')
    .option('--subject-column <column>', 'CSV: column that holds the subject')
    .option('--source <uri>', 'CSV: where the events come from')
    .option('--source-column <column>', 'CSV: column that holds the source')
    .option('--time-column <column>', 'CSV: column that holds the time; left out: the time of arrival')
    .option('--time-zone <zone>', 'CSV: IANA zone of times that bring none', parseTimeZone)
    .option('--id-column <column>', 'CSV: column that holds an id; left out: made of the content')
    .option(
      '--data <name=column...>',
      'CSV: member of the data from a column; name=column:number for numbers',
    )
    .option(
      '--explode <kinds>',
      'CSV: an event per kind, e.g. kind=context:ContextTokens,generated:GenTokens',
    )
    .option('--value-name <name>', 'CSV: member of the data that holds the number of --explode', 'value')
    .option('--batch-size <n>', 'events in one request', parseBatchSize, DEFAULT_BATCH)
    .option('--report <file>', 'where refused rows go, a JSON object a line')
    .addOption(jsonOption())
    .action(ingest)
}

async function ingest(file: string, options: Options): Promise<void> {
  const format = options.format ?? (/\.(ndjson|jsonl)$/i.test(file) ? 'ndjson' : 'csv')
  await assertReadable(file)
  const bar = progressBar(process.stderr)
  let firstRefused: Row | undefined
  const summary = await ingestFile({
    ...targetOf(options),
    file,
    format,
    mapping: format === 'csv' ? mappingOf(options) : null,
    batchSize: options.batchSize,
    onProgress: bar.draw,
    onRefused: (row) => {
      firstRefused ??= row
    },
    reportFile: options.report ?? null,
  }).finally(bar.end)
  printData(summary, options, () => describe(summary))
  if (summary.invalid > 0) say(NO_USE)
  if (summary.refusedRows === 0) return
  process.exitCode = 1
  if (firstRefused !== undefined) say(`Line ${firstRefused.line}: ${firstRefused.refusal}`)
  say(
    options.report === undefined
      ? 'Some rows were refused: run it again with --report <file> to see all of them, and why'
      : `The refused rows, with their reasons: ${options.report}`,
  )
}

function mappingOf(options: Options): CsvMapping {
  return {
    type: sourceOf(options, 'type'),
    source: sourceOf(options, 'source', 'csv'),
    subject: sourceOf(options, 'subject'),
    timeColumn: options.timeColumn ?? null,
    timeZone: options.timeZone ?? null,
    idColumn: options.idColumn ?? null,
    data: (options.data ?? []).map((text): DataColumn => parseDataOption(text)),
    explode: options.explode === undefined ? null : parseExplodeOption(options.explode, options.valueName),
  }
}

/** An attribute is the same for every row, or of a column. */
function sourceOf(options: Options, name: Attribute, otherwise?: string): Source {
  const column = options[`${name}Column`]
  if (column !== undefined) return { column }
  const literal = options[name] ?? otherwise
  if (literal !== undefined) return { literal }
  throw new CliProblem({
    what: `The ${name} of the events is missing`,
    why: 'a CSV file does not say it by itself',
    next: `give --${name} for all rows, or --${name}-column for one that the file holds`,
  })
}

function describe(summary: IngestSummary): string {
  return textFields([
    ['rows', String(summary.rows)],
    ['new events', String(summary.stored)],
    ['duplicates', String(summary.duplicate)],
    ['without a meter', String(summary.invalid)],
    ['refused rows', String(summary.refusedRows)],
  ])
}

function parseBatchSize(text: string): number {
  const size = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (size >= 1 && size <= BATCH_MAX) return size
  throw new InvalidArgumentError(`a batch has 1 to ${BATCH_MAX} events`)
}

function parseTimeZone(text: string): string {
  if (isTimeZone(text)) return text
  throw new InvalidArgumentError('a time zone is like America/New_York')
}
