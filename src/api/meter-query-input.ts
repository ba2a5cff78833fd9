import { Value } from 'typebox/value'
import { Type } from 'typebox'
import { isTimeZone } from '../domain/calendar.ts'
import { DomainError } from '../domain/errors.ts'
import { checkAligned } from '../domain/usage-windows.ts'
import { subjectsOfCustomers } from '../db/stores/usage-subjects.ts'
import type { Db } from '../db/connection.ts'
import type { MeterQuery } from '../db/stores/meter-query.ts'
import type { MeterRow } from '../db/stores/meters.ts'
import { requireStorable } from './storable-text.ts'
import { GroupByFilter } from './schemas/meters.ts'
import type { MeterQueryParameters, MeterQueryRequest } from './schemas/meters.ts'

const AdvancedFilters = Type.Record(Type.String(), GroupByFilter)

/**
 * A meter query as the store takes it, from the address or from a body.
 * @throws DomainError with the field, for what the schema cannot say
 */
export async function meterQueryOf(
  db: Db,
  meter: MeterRow,
  input: MeterQueryParameters | MeterQueryRequest,
): Promise<MeterQuery> {
  const interval = intervalOf(input)
  const timeZone = input.windowTimeZone ?? 'UTC'
  if (!isTimeZone(timeZone)) {
    throw new DomainError('invalid_time_zone', `"${timeZone}" is not a time zone.`, {
      field: 'windowTimeZone',
    })
  }
  const windowSize = input.windowSize ?? null
  for (const field of ['from', 'to'] as const) {
    const at = interval[field]
    if (windowSize !== null && at !== null) checkAligned(at.getTime(), windowSize, { timeZone, field })
  }
  return {
    meter,
    ...interval,
    windowSize,
    timeZone,
    subjects: await subjectsOf(db, input),
    groupBy: groupByOf(input),
    groupByFilters: filtersOf(meter, input),
  }
}

/** @throws DomainError when an instant is none, or `to` is not after `from` */
export function intervalOf(input: { readonly from?: string; readonly to?: string }): {
  from: Date | null
  to: Date | null
} {
  const from = instantOf(input.from, 'from')
  const to = instantOf(input.to, 'to')
  if (from !== null && to !== null && to <= from) {
    throw new DomainError('validation_failed', 'to has to be after from; the interval is [from, to).', {
      field: 'to',
    })
  }
  return { from, to }
}

/** @throws DomainError for what the format of the schema lets through, such as leap seconds */
export function instantOf(text: string | undefined, field: string): Date | null {
  if (text === undefined) return null
  const at = new Date(text)
  if (!Number.isNaN(at.getTime())) return at
  throw new DomainError('validation_failed', `${field} has to be an instant such as 2025-01-31T05:00:00Z.`, {
    field,
  })
}

/** Filtering by subjects or customers groups by them too, as the contract does. */
function groupByOf(input: MeterQueryParameters | MeterQueryRequest): readonly string[] {
  const keys = new Set(input.groupBy ?? [])
  if (input.subject !== undefined) keys.add('subject')
  if (input.filterCustomerId !== undefined) keys.add('customer_id')
  return [...keys]
}

async function subjectsOf(
  db: Db,
  input: MeterQueryParameters | MeterQueryRequest,
): Promise<readonly string[] | null> {
  if (input.filterCustomerId === undefined) return input.subject ?? null
  const { subjects, unknown } = await subjectsOfCustomers(db, input.filterCustomerId)
  if (unknown !== null) {
    throw new DomainError('validation_failed', `There is no customer ${unknown}.`, {
      field: 'filterCustomerId',
    })
  }
  const { subject } = input
  return subject === undefined ? subjects : subjects.filter((key) => subject.includes(key))
}

function filtersOf(
  meter: MeterRow,
  input: MeterQueryParameters | MeterQueryRequest,
): Record<string, readonly string[]> {
  const filters = new Map<string, readonly string[]>()
  for (const [key, values] of Object.entries(input.filterGroupBy ?? {})) {
    filters.set(key, typeof values === 'string' ? [values] : values)
  }
  for (const [key, { $eq, $in }] of Object.entries(advancedFiltersOf(input.advancedMeterGroupByFilters))) {
    filters.set(key, $in ?? ($eq === undefined ? [] : [$eq]))
  }
  for (const key of filters.keys()) {
    if (Object.hasOwn(meter.groupBy, key)) continue
    const known = Object.keys(meter.groupBy).join(', ') || 'none'
    const message = `This meter cannot be filtered by ${key}; its group-by keys are: ${known}.`
    throw new DomainError('validation_failed', message, { field: `filterGroupBy.${key}` })
  }
  return Object.fromEntries(filters)
}

type AdvancedFilters = NonNullable<MeterQueryRequest['advancedMeterGroupByFilters']>

function advancedFiltersOf(input: string | AdvancedFilters | undefined): AdvancedFilters {
  if (typeof input !== 'string') return input ?? {}
  const filters = parsed(input)
  requireStorable(filters, 'advancedMeterGroupByFilters')
  if (Value.Check(AdvancedFilters, filters)) return filters
  throw new DomainError(
    'validation_failed',
    'The filters have to be JSON such as {"model":{"$in":["a","b"]}}; $eq and $in are known.',
    {
      field: 'advancedMeterGroupByFilters',
    },
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
