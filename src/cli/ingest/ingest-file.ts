import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { BATCH_MAX } from '../../domain/cloud-event.ts'
import { CliProblem } from '../problem.ts'
import type { CsvMapping } from './csv-mapping.ts'
import { csvRows } from './csv-rows.ts'
import { deliver, sumCounts } from './deliver.ts'
import { ndjsonRows } from './ndjson-rows.ts'
import type { ApiTarget, EventCounts } from './post-events.ts'
import { openReport } from './report.ts'
import type { Row } from './rows.ts'

export interface IngestOptions extends ApiTarget {
  readonly file: string
  /** `ndjson`: a CloudEvent a line. */
  readonly format: 'csv' | 'ndjson'
  /** Needed for CSV. */
  readonly mapping: CsvMapping | null
  /** Events in one request, at most 10,000. */
  readonly batchSize: number
  readonly onProgress?: (progress: IngestProgress) => void
  /** Called for each row that is refused, in the order of the file within a batch. */
  readonly onRefused?: (row: Row) => void
  /** Where refused rows go, a JSON object a line; null keeps none. */
  readonly reportFile: string | null
}

/** `stored` are new events; `invalid` of them were stored with a validation error. */
export interface IngestSummary extends EventCounts {
  readonly rows: number
  readonly refusedRows: number
}

export interface IngestProgress extends IngestSummary {
  readonly bytesRead: number
  readonly bytesTotal: number
}

const BATCH_BYTES_MAX = 4_000_000

/**
 * Loads a file of usage through the API, streamed. Safe to run again: what was stored before is counted as duplicate
 * (billing rule 7), also after a run that stopped half-way.
 * @throws CliProblem when the file or the API is not there, or a column is missing
 */
export async function ingestFile(options: IngestOptions): Promise<IngestSummary> {
  const bytesTotal = await assertReadable(options.file)
  const stream = createReadStream(options.file)
  const report = await openReport(options.reportFile)
  let summary: IngestSummary = { rows: 0, stored: 0, duplicate: 0, invalid: 0, refusedRows: 0 }
  try {
    for await (const rows of batches(rowsOf(stream, options), Math.min(options.batchSize, BATCH_MAX))) {
      const accepted = rows.filter(({ refusal }) => refusal === null)
      const delivery = await deliver(options, accepted)
      const refused = [...rows.filter(({ refusal }) => refusal !== null), ...delivery.refused]
      await report.write(refused)
      for (const row of refused) options.onRefused?.(row)
      const counts = sumCounts(summary, delivery.counts)
      summary = {
        ...counts,
        rows: summary.rows + rows.length,
        refusedRows: summary.refusedRows + refused.length,
      }
      options.onProgress?.({ ...summary, bytesRead: stream.bytesRead, bytesTotal })
    }
  } finally {
    stream.destroy()
    await report.close()
  }
  return summary
}

function rowsOf(
  stream: ReturnType<typeof createReadStream>,
  { format, mapping }: IngestOptions,
): AsyncIterable<Row> {
  if (format === 'ndjson') return ndjsonRows(stream as AsyncIterable<Buffer>)
  if (mapping !== null) return csvRows(stream, mapping)
  throw new CliProblem({
    what: 'A CSV file needs a mapping',
    why: 'its columns could be anything',
    next: 'say which is which: --type, --subject, --time-column, --data name=column',
  })
}

/** Whole rows, so that the events of a row are stored together. */
async function* batches(rows: AsyncIterable<Row>, size: number): AsyncGenerator<readonly Row[]> {
  let batch: Row[] = []
  let events = 0
  let bytes = 0
  for await (const row of rows) {
    const rowBytes = row.events.reduce((total, event) => total + Buffer.byteLength(event) + 1, 0)
    if (batch.length > 0 && (events + row.events.length > size || bytes + rowBytes > BATCH_BYTES_MAX)) {
      yield batch
      batch = []
      events = 0
      bytes = 0
    }
    batch.push(row)
    // A refused row sends nothing, yet it is held until its batch is done.
    events += Math.max(row.events.length, 1)
    bytes += rowBytes
  }
  if (batch.length > 0) yield batch
}

/**
 * The size in bytes of a file that can be read.
 * @throws CliProblem when there is none
 */
export async function assertReadable(file: string): Promise<number> {
  try {
    const handle = await open(file, 'r')
    await handle.close()
    const found = await stat(file)
    if (found.isDirectory()) throw new Error('it is a folder')
    return found.size
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CliProblem(
      { what: `${file} cannot be read`, why, next: 'check the path and its permissions' },
      error,
    )
  }
}
