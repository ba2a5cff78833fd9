import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { Big } from 'big.js'
import { groupBy } from './at-stripe.ts'
import type { Span } from './calendar.ts'
import type { EventRow, MeterRow } from './rows.ts'

/** An event as it was sent and answered with 2xx. */
export interface AcceptedEvent {
  readonly source: string
  readonly id: string
  readonly type: string
  readonly subject: string
  /** RFC 3339; left out where the server was to choose it. */
  readonly time?: string
  readonly data?: unknown
  /** When its producer had the answer, by the machine's clock. */
  readonly answeredAt: number
}

export const identityOf = ({ source, id }: Pick<AcceptedEvent, 'source' | 'id'>): string =>
  `${source}\u0000${id}`

/** By identity: the first answer counts, the others were duplicates. */
export async function readAccepted(file: string): Promise<ReadonlyMap<string, AcceptedEvent>> {
  const accepted = new Map<string, AcceptedEvent>()
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    if (line === '') continue
    const event = JSON.parse(line) as AcceptedEvent
    const identity = identityOf(event)
    if (!accepted.has(identity)) accepted.set(identity, event)
  }
  return accepted
}

/** Whether a transaction had been committed when a pg_snapshot (`xmin:xmax:xip,…`) was taken. */
export function isVisible(txid: string, cutoff: string): boolean {
  const [xmin = '0', xmax = '0', open = ''] = cutoff.split(':')
  const id = BigInt(txid)
  if (id < BigInt(xmin)) return true
  return id < BigInt(xmax) && !open.split(',').includes(txid)
}

/** Counts events of a customer for one meter. */
export interface Counter {
  /** Events of the meter in a span, oldest first. */
  readonly within: (span: Span) => readonly EventRow[]
  readonly all: () => readonly EventRow[]
  /** What a meter makes of events; nothing is 0. */
  readonly total: (events: readonly EventRow[]) => Big
  /** Sums and counts: the quantity of a whole is that of its parts. */
  readonly adds: boolean
}

/** Of every customer's subjects; made once over all events. */
export function counters(events: readonly EventRow[]) {
  const bySubject = groupBy(events, ({ subject }) => subject)
  return (meter: MeterRow, subjects: readonly string[]): Counter => {
    const own = subjects
      .flatMap((subject) => bySubject.get(subject) ?? [])
      .filter((event) => event.type === meter.event_type && isCounted(meter, event))
    return {
      within: ({ from, to }) => own.filter(({ time }) => time >= from && time < to),
      all: () => own,
      total: (some) => aggregate(meter, some),
      adds: meter.aggregation === 'SUM' || meter.aggregation === 'COUNT',
    }
  }
}

/** What is at a path like `$.tokens` or `$.usage.tokens`. */
function valueAt(data: unknown, path: string): unknown {
  let at: unknown = data
  for (const name of path.replace(/^\$\.?/, '').split('.')) {
    if (name === '') continue
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Readonly<Record<string, unknown>>)[name]
  }
  return at
}

function isCounted(meter: MeterRow, { data }: EventRow): boolean {
  const passes = Object.entries(meter.filters ?? {}).every(([key, wanted]) => {
    const path = meter.group_by[key]
    const allowed = typeof wanted === 'string' ? [wanted] : wanted
    return path !== undefined && allowed.includes(String(valueAt(data, path)))
  })
  const value = valueAt(data, meter.value_property ?? '$')
  const needsNumber = meter.aggregation === 'SUM' || meter.aggregation === 'MAX'
  const isUsable = needsNumber ? /^-?\d+(\.\d+)?$/.test(String(value)) : value !== undefined
  return passes && (meter.aggregation === 'COUNT' || isUsable)
}

function aggregate(meter: MeterRow, events: readonly EventRow[]): Big {
  const values = events.map(({ data }) => String(valueAt(data, meter.value_property ?? '$')))
  const numbers = (): readonly Big[] => values.map((value) => new Big(value))
  const none = new Big(0)
  switch (meter.aggregation) {
    case 'SUM':
      return numbers().reduce((sum, value) => sum.plus(value), none)
    case 'COUNT':
      return new Big(events.length)
    case 'UNIQUE_COUNT':
      return new Big(new Set(values).size)
    case 'MAX':
      return numbers().reduce((most, value) => (value.gt(most) ? value : most), numbers()[0] ?? none)
    default:
      throw new Error(`the audit does not count ${meter.aggregation}`)
  }
}
