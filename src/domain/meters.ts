import { Decimal } from './decimal.ts'
import { DomainError } from './errors.ts'
import { ExactNumber } from './exact-number.ts'
import { parseJsonPath, valueAt } from './json-path.ts'
import type { PathSegment } from './json-path.ts'

export const aggregations = ['SUM', 'COUNT', 'UNIQUE_COUNT', 'AVG', 'MIN', 'MAX', 'LATEST'] as const
export type Aggregation = (typeof aggregations)[number]

/** What of a meter decides which events it counts, and how. */
export interface UsageMeter {
  readonly eventType: string
  /** Events before this instant are not counted. */
  readonly eventFrom: Date | null
  readonly aggregation: Aggregation
  /** JSONPath to the value; null for COUNT. */
  readonly valueProperty: string | null
  /** JSONPath by group-by key. */
  readonly groupBy: Readonly<Record<string, string>>
}

/**
 * The numbers a meter counts, the same in JavaScript and in SQL: below 10^24 in size with at most 24 decimals, so that
 * a sum of 10^16 of them stays within the 64 digits of a billing quantity.
 */
export const usageNumber = {
  pattern: '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$',
  lengthMax: 100,
  magnitudeMax: '1e24',
  scaleMax: 24,
  words: 'a number within ±10^24 with at most 24 decimals',
} as const

const numberPattern = new RegExp(usageNumber.pattern)
const namePattern = /^[a-z0-9]+(?:_[a-z0-9]+)*$/i

/** What an aggregation needs of an event: nothing, a number (or text that is one), or any plain value. */
export function aggregationReads(aggregation: Aggregation): 'nothing' | 'number' | 'text' {
  if (aggregation === 'COUNT') return 'nothing'
  return aggregation === 'UNIQUE_COUNT' ? 'text' : 'number'
}

/** Numbers that JavaScript writes without an exponent and with few decimals, as nearly all are. */
const plainNumber = /^-?[0-9]{1,15}(?:[.][0-9]{1,15})?$/

/** Whether text is a number that a meter counts. */
export function isUsageNumber(text: string): boolean {
  if (plainNumber.test(text)) return true
  if (text.length > usageNumber.lengthMax || !numberPattern.test(text)) return false
  const number = new Decimal(text.replace(/^\+/, ''))
  const scale = number.c.length - 1 - number.e
  return number.abs().lt(usageNumber.magnitudeMax) && scale <= usageNumber.scaleMax
}

/**
 * Why no meter can use an event, or null when at least one can. Such an event is stored with this text, listed with
 * it, and counted as soon as a meter that can use it exists.
 */
export function usageProblem(
  meters: readonly UsageMeter[],
  event: { type: string; data: unknown },
): string | null {
  let first: string | null = null
  for (const meter of meters) {
    if (meter.eventType !== event.type) continue
    const why = valueProblem(meter, event.data)
    if (why === null) return null
    first ??= why
  }
  return first ?? `no meter found for event type: ${event.type}`
}

function valueProblem(meter: UsageMeter, data: unknown): string | null {
  const reads = aggregationReads(meter.aggregation)
  if (reads === 'nothing') return null
  const path = meter.valueProperty ?? '$'
  const value = valueAt(data, valuePath(meter))
  if (value === undefined || value === null || value === '') return `event data has no value at ${path}`
  const text = plainText(value)
  if (text === null) return `the value at ${path} is not a plain value`
  if (reads === 'text' || isUsageNumber(text)) return null
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text
  return `the value at ${path} is not ${usageNumber.words}: ${shown}`
}

const valuePaths = new WeakMap<UsageMeter, readonly PathSegment[]>()

/** Read once for a meter, not for each of its events. */
function valuePath(meter: UsageMeter): readonly PathSegment[] {
  const known = valuePaths.get(meter)
  if (known !== undefined) return known
  const path = parseJsonPath(meter.valueProperty ?? '$')
  valuePaths.set(meter, path)
  return path
}

function plainText(value: unknown): string | null {
  if (value instanceof ExactNumber) return value.digits
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

/** What a meter is made of, before it has an id. */
export interface MeterDefinition {
  readonly key: string
  readonly eventType: string
  readonly aggregation: Aggregation
  readonly valueProperty: string | null
  readonly groupBy: Readonly<Record<string, string>>
}

/**
 * Refuses a meter that could never count: a key or group-by key that is not a name, a missing value property, a path
 * that is wrong.
 * @throws DomainError `invalid_meter` or `invalid_json_path`, with the field
 */
export function checkMeter(meter: MeterDefinition): void {
  checkName(meter.key, 'slug')
  if (meter.aggregation !== 'COUNT' && meter.valueProperty === null) {
    throw new DomainError(
      'invalid_meter',
      `${meter.aggregation} needs a valueProperty, for example $.tokens`,
      {
        field: 'valueProperty',
      },
    )
  }
  if (meter.valueProperty !== null) parseJsonPath(meter.valueProperty, 'valueProperty')
  checkGroupBy(meter.groupBy)
}

/** @throws DomainError `invalid_meter` or `invalid_json_path`, with the field */
export function checkGroupBy(groupBy: Readonly<Record<string, string>>): void {
  for (const [key, path] of Object.entries(groupBy)) {
    checkName(key, `groupBy.${key}`)
    if (key === 'subject' || key === 'customer_id') {
      throw new DomainError('invalid_meter', `"${key}" is reserved: every meter can be grouped by it`, {
        field: `groupBy.${key}`,
      })
    }
    parseJsonPath(path, `groupBy.${key}`)
  }
}

function checkName(name: string, field: string): void {
  if (namePattern.test(name) && name.length <= 64) return
  const rule = 'letters and digits joined by single underscores, at most 64 characters'
  throw new DomainError('invalid_meter', `${JSON.stringify(name.slice(0, 80))} has to be ${rule}`, { field })
}
