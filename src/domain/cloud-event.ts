import { DomainError } from './errors.ts'
import { ExactNumber } from './exact-number.ts'
import { textFlaw } from './text-flaw.ts'

/** A CloudEvent 1.0 that carries usage. Extension attributes are accepted and not kept. */
export interface CloudEvent {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  /** RFC 3339 in UTC with microseconds: what PostgreSQL keeps. */
  readonly time: string
  readonly datacontenttype: string | null
  readonly dataschema: string | null
  /** Any JSON value; null when the event has none. Numbers a double cannot hold are `ExactNumber`s. */
  readonly data: unknown
}

export interface CloudEventOptions {
  /** The time of events that bring none. */
  readonly nowMs: number
  /** Reads `data` that is JSON inside a string; throws where it is not JSON. */
  readonly parseJson: (text: string) => unknown
}

/** Events in one batch at most. */
export const BATCH_MAX = 10_000
/** Identity and type are index keys in PostgreSQL, which have a size limit. */
const ATTRIBUTE_BYTES_MAX = 1024
const DEPTH_MAX = 64

const uriReference = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/
const jsonContentType = /^application\/(?:[a-z0-9.+-]+\+)?json *(?:;.*)?$/i

/**
 * Reads one CloudEvent or a batch. One malformed event refuses them all, so that a sender can correct it and send the
 * same batch again.
 * @throws DomainError `invalid_cloud_event`, naming event and field: `[3].subject` in a batch, `subject` alone
 */
export function parseCloudEvents(body: unknown, options: CloudEventOptions): readonly CloudEvent[] {
  if (!Array.isArray(body)) return [parseCloudEvent(body, '', options)]
  if (body.length > BATCH_MAX) {
    const message = `the batch has ${body.length} events; send at most ${BATCH_MAX} in one request`
    throw new DomainError('invalid_cloud_event', message, { field: 'body' })
  }
  return body.map((event, index) => parseCloudEvent(event, `[${index}].`, options))
}

function parseCloudEvent(input: unknown, prefix: string, options: CloudEventOptions): CloudEvent {
  if (typeof input !== 'object' || input === null || Array.isArray(input) || input instanceof ExactNumber) {
    throw refusal(prefix.replace(/\.$/, '') || 'body', 'an event has to be a JSON object')
  }
  const event = input as Readonly<Record<string, unknown>>
  if (event['specversion'] !== '1.0') {
    const found =
      event['specversion'] === undefined ? 'it is missing' : `it is ${shown(event['specversion'])}`
    throw refusal(`${prefix}specversion`, `specversion has to be "1.0"; ${found}`)
  }
  if (event['data_base64'] !== undefined) {
    throw refusal(`${prefix}data_base64`, 'binary data cannot be metered; send JSON in data')
  }
  const source = requiredText(event, 'source', prefix)
  if (!uriReference.test(source))
    throw refusal(`${prefix}source`, `source has to be a URI reference; it is ${shown(source)}`)
  return {
    id: requiredText(event, 'id', prefix),
    source,
    type: requiredText(event, 'type', prefix),
    subject: requiredText(event, 'subject', prefix),
    time: timeOf(event['time'], prefix, options.nowMs),
    datacontenttype: contentTypeOf(event, prefix),
    dataschema: optionalText(event, 'dataschema', prefix),
    data: dataOf(event['data'], prefix, options),
  }
}

function requiredText(event: Readonly<Record<string, unknown>>, name: string, prefix: string): string {
  const value = optionalText(event, name, prefix)
  if (value === null) throw refusal(`${prefix}${name}`, `${name} is missing`)
  return value
}

function optionalText(event: Readonly<Record<string, unknown>>, name: string, prefix: string): string | null {
  const value = event[name]
  if (value === undefined || value === null) return null
  if (typeof value !== 'string')
    throw refusal(`${prefix}${name}`, `${name} has to be text; it is ${shown(value)}`)
  if (value === '') throw refusal(`${prefix}${name}`, `${name} is empty`)
  if (utf8Length(value) > ATTRIBUTE_BYTES_MAX) {
    throw refusal(`${prefix}${name}`, `${name} is longer than ${ATTRIBUTE_BYTES_MAX} bytes`)
  }
  if (!isStorableText(value)) throw unstorable(value, `${prefix}${name}`)
  return value
}

function contentTypeOf(event: Readonly<Record<string, unknown>>, prefix: string): string | null {
  const value = optionalText(event, 'datacontenttype', prefix)
  if (value === null || jsonContentType.test(value)) return value
  throw refusal(
    `${prefix}datacontenttype`,
    `datacontenttype has to be application/json; it is ${shown(value)}`,
  )
}

function timeOf(value: unknown, prefix: string, nowMs: number): string {
  if (value === undefined || value === null) return new Date(nowMs).toISOString().replace('Z', '000Z')
  const time = typeof value === 'string' ? parseRfc3339(value) : null
  if (time !== null) return time
  throw refusal(
    `${prefix}time`,
    `time has to be an RFC 3339 instant of the years ${YEARS}, such as 2025-01-31T05:00:00Z; it is ${shown(value)}`,
  )
}

/** JSON inside a string is read as the JSON it holds; any other text stays text. */
function dataOf(value: unknown, prefix: string, { parseJson }: CloudEventOptions): unknown {
  if (value === undefined || value === null) return null
  requireStorableData(value, prefix)
  if (typeof value !== 'string' || !/^\s*[{[]/.test(value)) return value
  const inner = attempt(() => parseJson(value))
  if (inner === undefined) return value
  requireStorableData(inner, prefix)
  return inner
}

/** What is wrong is looked for a second time, with its name: nearly always nothing is. */
function requireStorableData(value: unknown, prefix: string): void {
  if (!isStorableData(value, 0)) checkData(value, `${prefix}data`, 0)
}

function isStorableData(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return isStorableText(value)
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) return true
  if (depth === DEPTH_MAX) return false
  if (Array.isArray(value)) return value.every((element) => isStorableData(element, depth + 1))
  return Object.entries(value).every(
    ([key, member]) => isStorableText(key) && isStorableData(member, depth + 1),
  )
}

function attempt(read: () => unknown): unknown {
  try {
    return read()
  } catch {
    return undefined
  }
}

function checkData(value: unknown, field: string, depth: number): void {
  if (typeof value === 'string') return checkText(value, field)
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) return
  if (depth === DEPTH_MAX) throw refusal(field, `it is nested deeper than ${DEPTH_MAX} levels`)
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) checkData(element, `${field}[${index}]`, depth + 1)
    return
  }
  for (const [key, member] of Object.entries(value)) {
    const name = `${field}.${key}`
    checkText(key, name)
    checkData(member, name, depth + 1)
  }
}

function checkText(text: string, field: string): void {
  if (!isStorableText(text)) throw unstorable(text, field)
}

const isStorableText = (text: string): boolean => textFlaw(text) === null

function unstorable(text: string, field: string): DomainError {
  const name = printable(field)
  if (textFlaw(text) !== 'nul')
    return refusal(name, 'it holds half of a surrogate pair, which is no character')
  const message = `${name} holds a NUL character, which cannot be stored; remove it`
  return new DomainError('nul_character', message, { field: name })
}

const timePattern =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,32}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/

const FIRST_YEAR = '1970'
const LAST_YEAR = '9998'
/** As PostgreSQL writes it, `Date` takes a year below 100 for one of this century; a window after 9999 has no RFC 3339. */
export const YEARS = `${FIRST_YEAR} to ${LAST_YEAR}`

/**
 * An RFC 3339 instant of those years in UTC with microseconds, or null. Finer digits are cut, never rounded: rounding up would move
 * an event over the end of its period (billing rule 2).
 */
export function parseRfc3339(text: string): string | null {
  const match = timePattern.exec(text)
  if (match === null) return null
  const [
    ,
    year = '',
    month = '',
    day = '',
    hour = '',
    minute = '',
    second = '',
    fraction = '',
    sign,
    oh = '0',
    om = '0',
  ] = match
  if (hour > '23' || minute > '59' || second > '59' || Number(oh) > 23 || Number(om) > 59) return null
  const date = Date.parse(`${year}-${month}-${day}T00:00:00Z`)
  // The engine takes 30 February for 1 March.
  if (Number.isNaN(date) || new Date(date).getUTCDate() !== Number(day)) return null
  if (sign === undefined && (year < FIRST_YEAR || year > LAST_YEAR)) return null
  if (sign === undefined) return `${year}-${month}-${day}T${hour}:${minute}:${second}.${micros(fraction)}Z`
  const offsetMs = (sign === '-' ? -1 : 1) * (Number(oh) * 60 + Number(om)) * 60_000
  const atMs = date + ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000 - offsetMs
  return isStorable(atMs) ? microseconds(atMs, fraction) : null
}

const earliestMs = Date.parse(`${FIRST_YEAR}-01-01T00:00:00Z`)
const latestMs = Date.parse(`${LAST_YEAR}-12-31T23:59:59.999Z`)

function isStorable(atMs: number): boolean {
  return atMs >= earliestMs && atMs <= latestMs
}

/** An instant of whole seconds, with the digits of its fraction. */
function microseconds(atMs: number, fraction: string): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}.${micros(fraction)}Z`
}

const micros = (fraction: string): string => fraction.slice(0, 6).padEnd(6, '0')

function utf8Length(text: string): number {
  return text.length * 3 <= ATTRIBUTE_BYTES_MAX ? text.length : new TextEncoder().encode(text).length
}

function printable(field: string): string {
  return field.replaceAll('\0', '\\u0000').slice(0, 200)
}

function shown(value: unknown): string {
  const text =
    value === undefined ? 'nothing' : value instanceof ExactNumber ? value.digits : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

function refusal(field: string, why: string): DomainError {
  return new DomainError('invalid_cloud_event', `${field}: ${why}`, { field })
}
