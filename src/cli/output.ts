import Table from 'cli-table3'

/** Every command that reads takes `--json`: the whole answer for programs, a table for people. */
export interface OutputOptions {
  readonly json?: boolean
}

/** Data goes to stdout; everything said about it to stderr. */
export function printData(value: unknown, options: OutputOptions, asText: () => string): void {
  process.stdout.write(options.json === true ? `${JSON.stringify(value, null, 2)}\n` : `${asText()}\n`)
}

/** A table without lines of its own, so that `cut` and `awk` work on it as well. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: head.map((title) => title.toUpperCase()),
    chars: Object.fromEntries(borders.map((name) => [name, ''])),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  })
  for (const row of rows) table.push([...row])
  return rows.length === 0 ? 'none' : table.toString()
}

const borders =
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid middle'.split(
    ' ',
  )

/** One thing as name and value, a line each. */
export function textFields(fields: readonly (readonly [string, string | null | undefined])[]): string {
  const shown = fields.filter(([, value]) => value !== undefined && value !== null && value !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length)) + 2
  return shown.map(([name, value]) => `${name.padEnd(width)}${value ?? ''}`).join('\n')
}

/** Talk: never in the way of a pipe. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
