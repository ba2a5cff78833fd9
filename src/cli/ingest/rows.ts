/** A row of a file: the events it becomes, or why it becomes none. */
export interface Row {
  /** Line of the file, from 1; of a record over several lines the last. */
  readonly line: number
  /** As it stands in the file. */
  readonly original: string
  /** CloudEvents as JSON text, so that their numbers keep all digits; none when the row is refused. */
  readonly events: readonly string[]
  readonly refusal: string | null
}

export function acceptedRow(line: number, original: string, events: readonly string[]): Row {
  return { line, original, events, refusal: null }
}

export function refusedRow(line: number, original: string, refusal: string): Row {
  return { line, original, events: [], refusal }
}
