import type { MeterQuery, MeterQueryRow } from '../../db/stores/meter-query.ts'

/**
 * The contract's MeterQueryResult as JSON text. `value` is a JSON number there: its digits are written as they are,
 * which JSON.stringify could not do without rounding them to a double.
 */
export function meterQueryJson(query: MeterQuery, rows: readonly MeterQueryRow[]): string {
  const head = {
    from: query.from ?? undefined,
    to: query.to ?? undefined,
    windowSize: query.windowSize ?? undefined,
  }
  const data = rows.map(({ value, customerId, ...row }) => {
    const rest = JSON.stringify({ ...row, customerId: customerId ?? undefined })
    return `{"value":${value},${rest.slice(1)}`
  })
  const start = JSON.stringify(head).slice(0, -1)
  return `${start}${start === '{' ? '' : ','}"data":[${data.join(',')}]}`
}

/** The same as CSV: the window, the subject, a column for each other group, the value. */
export function meterQueryCsv(query: MeterQuery, rows: readonly MeterQueryRow[]): string {
  const keys = query.groupBy.filter((key) => key !== 'subject')
  const lines = rows.map((row) => {
    const groups = keys.map((key) => (key === 'customer_id' ? row.customerId : (row.groupBy[key] ?? null)))
    return [row.windowStart.toISOString(), row.windowEnd.toISOString(), row.subject, ...groups, row.value]
  })
  const table = [['window_start', 'window_end', 'subject', ...keys, 'value'], ...lines]
  return table.map((cells) => `${cells.map((cell) => quoted(cell ?? '')).join(',')}\n`).join('')
}

/**
 * A spreadsheet runs what begins with = or @ as a formula, and subjects come from outside: such a cell gets an
 * apostrophe in front. Numbers may begin with a minus.
 */
function quoted(cell: string): string {
  const safe = /^[=@\t\r]|^[+-](?![0-9.]+$)/.test(cell) ? `'${cell}` : cell
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
