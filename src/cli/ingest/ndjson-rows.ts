import { acceptedRow, refusedRow } from './rows.ts'
import type { Row } from './rows.ts'

const LINE_MAX_BYTES = 1_000_000
const NEWLINE = 0x0a

/** Lines of a file of CloudEvents, one JSON object a line, streamed. The text is sent as it is, so digits stay. */
export async function* ndjsonRows(file: AsyncIterable<Buffer>): AsyncGenerator<Row> {
  let line = 0
  for await (const bytes of lines(file)) {
    line++
    const row = rowOf(line, bytes)
    if (row !== null) yield row
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function rowOf(line: number, bytes: Buffer | 'too_long'): Row | null {
  if (bytes === 'too_long') return refusedRow(line, '', `the line is longer than ${LINE_MAX_BYTES} bytes`)
  try {
    const text = utf8
      .decode(bytes)
      .replace(line === 1 ? /^\uFEFF/ : /^(?!)/, '')
      .trim()
    if (text === '') return null
    const event: unknown = JSON.parse(text)
    if (typeof event === 'object' && event !== null && !Array.isArray(event))
      return acceptedRow(line, text, [text])
    return refusedRow(line, text, 'an event has to be a JSON object')
  } catch (error) {
    return refusedRow(line, bytes.toString().trim(), error instanceof Error ? error.message : String(error))
  }
}

/** Splits at line feeds only: JSON text may hold the other separators that Node's readline splits at. */
async function* lines(file: AsyncIterable<Buffer>): AsyncGenerator<Buffer | 'too_long'> {
  let parts: Buffer[] = []
  let length = 0
  const take = (): Buffer | 'too_long' => {
    const whole = length > LINE_MAX_BYTES ? 'too_long' : Buffer.concat(parts)
    parts = []
    length = 0
    return whole
  }
  for await (const chunk of file) {
    let from = 0
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      parts.push(chunk.subarray(from, to))
      length += to - from
      yield take()
      from = to + 1
    }
    length += chunk.length - from
    if (length <= LINE_MAX_BYTES) parts.push(chunk.subarray(from))
  }
  // The last line may lack its line feed.
  if (length > 0) yield take()
}
