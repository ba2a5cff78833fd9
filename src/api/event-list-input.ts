import { Value } from 'typebox/value'
import { parseRfc3339 } from '../domain/cloud-event.ts'
import { DomainError } from '../domain/errors.ts'
import type { EventCursor, EventListOptions, TextMatch, TimeBound } from '../db/stores/event-list.ts'
import { instantOf } from './meter-query-input.ts'
import { requireStorable } from './storable-text.ts'
import { EventFilter } from './schemas/events.ts'
import type { EventCursorQuery, EventListQuery } from './schemas/events.ts'

const DEFAULT_LIMIT = 100

/** The contract's simple list: parts of id and subject, half-open intervals. */
export function eventListOf(query: EventListQuery): EventListOptions {
  const texts: TextMatch[] = []
  if (query.id !== undefined) texts.push({ column: 'id', operator: 'contains', values: [query.id] })
  if (query.subject !== undefined)
    texts.push({ column: 'subject', operator: 'contains', values: [query.subject] })
  if (query.customerId !== undefined)
    texts.push({ column: 'customerId', operator: 'in', values: query.customerId })
  const times = [
    bound('time', '>=', query.from, 'from'),
    bound('time', '<', query.to, 'to'),
    bound('ingestedAt', '>=', query.ingestedAtFrom, 'ingestedAtFrom'),
    bound('ingestedAt', '<', query.ingestedAtTo, 'ingestedAtTo'),
  ]
  return { texts, times: times.flat(), after: null, limit: query.limit ?? DEFAULT_LIMIT }
}

function bound(
  column: TimeBound['column'],
  operator: TimeBound['operator'],
  text: string | undefined,
  field: string = column,
): readonly TimeBound[] {
  const at = instantOf(text, field)
  return at === null ? [] : [{ column, operator, at }]
}

/** The contract's list with a cursor and a filter. */
export function eventCursorListOf(query: EventCursorQuery): EventListOptions {
  const filter = filterOf(query.filter)
  const texts = (['id', 'source', 'type', 'subject'] as const).flatMap((column) =>
    textMatches(column, filter[column]),
  )
  const times = (['time', 'ingestedAt', 'storedAt'] as const).flatMap((column) =>
    timeBounds(column, filter[column]),
  )
  return {
    texts: [...texts, ...textMatches('customerId', filter.customerId)],
    times,
    after: query.cursor === undefined ? null : readCursor(query.cursor),
    limit: query.limit ?? DEFAULT_LIMIT,
  }
}

function textMatches(column: TextMatch['column'], filter: EventFilter['subject']): readonly TextMatch[] {
  const { $eq, $ne, $in, $nin } = filter ?? {}
  const matches: TextMatch[] = []
  if ($eq !== undefined) matches.push({ column, operator: 'in', values: [$eq] })
  if ($in !== undefined) matches.push({ column, operator: 'in', values: $in })
  if ($ne !== undefined) matches.push({ column, operator: 'not_in', values: [$ne] })
  if ($nin !== undefined) matches.push({ column, operator: 'not_in', values: $nin })
  return matches
}

function timeBounds(column: TimeBound['column'], filter: EventFilter['time']): readonly TimeBound[] {
  const field = `filter.${column}`
  return [
    ...bound(column, '>', filter?.$gt, field),
    ...bound(column, '>=', filter?.$gte, field),
    ...bound(column, '<', filter?.$lt, field),
    ...bound(column, '<=', filter?.$lte, field),
  ]
}

function filterOf(text: string | undefined): EventFilter {
  if (text === undefined) return {}
  const filter = parsed(text)
  requireStorable(filter, 'filter')
  if (Value.Check(EventFilter, filter)) return filter
  const message =
    'filter has to be JSON such as {"subject":{"$eq":"acme"}}. id, source, type and subject know $eq, $ne, $in, $nin; ' +
    'customerId knows $in; time, ingestedAt and storedAt know $gt, $gte, $lt, $lte.'
  throw new DomainError('validation_failed', message, { field: 'filter' })
}

/** Names the place of an event in the list; opaque to callers. */
export function writeCursor({ time, seq }: EventCursor): string {
  return Buffer.from(`${time},${seq}`).toString('base64url')
}

function readCursor(text: string): EventCursor {
  const [time = '', seq = ''] = Buffer.from(text, 'base64url').toString().split(',')
  if (parseRfc3339(time) === time && /^\d{1,18}$/.test(seq)) return { time, seq }
  throw new DomainError('validation_failed', 'cursor is not one that this list gave.', { field: 'cursor' })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
