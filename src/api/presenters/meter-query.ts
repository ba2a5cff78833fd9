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
  const instant = instantsOnce()
  const data = rows.map(({ value, windowStart, windowEnd, subject, groupBy, customerId }) => {
    const window = `"windowStart":"${instant(windowStart)}","windowEnd":"${instant(windowEnd)}"`
    const customer = customerId === null ? '' : `,"customerId":${JSON.stringify(customerId)}`
    return `{"value":${value},${window},"subject":${JSON.stringify(subject)},"groupBy":${JSON.stringify(groupBy)}${customer}}`
  })
  const start = JSON.stringify(head).slice(0, -1)
  return `${start}${start === '{' ? '' : ','}"data":[${data.join(',')}]}`
}

/** Texts of instants, of which an answer has many twice or more: a window ends where the next begins, and has a row a group. */
function instantsOnce(): (at: Date) => string {
  const known = new Map<number, string>()
  return (at) => {
    const ms = at.getTime()
    const text = known.get(ms) ?? at.toISOString()
    known.set(ms, text)
    return text
  }
}

/** The same as CSV: the window, the subject, a column for each other group, the value. */
export function meterQueryCsv(query: MeterQuery, rows: readonly MeterQueryRow[]): string {
  const keys = query.groupBy.filter((key) => key !== 'subject')
  const instant = instantsOnce()
  const lines = rows.map((row) => {
    const groups = keys.map((key) => (key === 'customer_id' ? row.customerId : (row.groupBy[key] ?? null)))
    return [instant(row.windowStart), instant(row.windowEnd), row.subject, ...groups, row.value]
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
