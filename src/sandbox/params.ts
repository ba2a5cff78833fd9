import { notBuilt, refuse } from './errors.ts'

/** Reads one form value; `path` is its name as Stripe writes it, `lines[0][amount]`. */
export interface Param<T> {
  readonly required?: true
  readonly read: (raw: unknown, path: string) => T
}

/** The parameters of one endpoint. */
export interface Shape {
  readonly [name: string]: Param<unknown>
}

type RequiredNames<S> = { [K in keyof S]: S[K] extends { readonly required: true } ? K : never }[keyof S]

/** What a shape reads to: required ones present, the others perhaps; null is a value cleared with ''. */
export type Values<S> = {
  readonly [K in RequiredNames<S>]: S[K] extends Param<infer T> ? T : never
} & {
  readonly [K in Exclude<keyof S, RequiredNames<S>>]?: S[K] extends Param<infer T> ? T : never
}

type Raw = Readonly<Record<string, unknown>>

const isRecord = (raw: unknown): raw is Raw => typeof raw === 'object' && raw !== null && !Array.isArray(raw)
const join = (path: string, name: string) => (path === '' ? name : `${path}[${name}]`)

/**
 * Reads the parameters of a request. Unknown and missing ones are refused at any depth.
 * [recorded traffic: stripe_world] for both messages.
 */
export function readParams<S extends Shape>(shape: S, raw: unknown, path = ''): Values<S> {
  if (!isRecord(raw)) throw refuse('Invalid object', { param: path })
  const unknown = Object.keys(raw).find((name) => !Object.hasOwn(shape, name))
  if (unknown !== undefined) {
    const param = join(path, unknown)
    throw refuse(`Received unknown parameter: ${param}`, { code: 'parameter_unknown', param })
  }
  const values: Record<string, unknown> = {}
  for (const [name, param] of Object.entries(shape)) {
    const value = raw[name]
    if (value === undefined) {
      if (param.required) throw missing(join(path, name))
      continue
    }
    values[name] = param.read(value, join(path, name))
  }
  return values as Values<S>
}

/** 400 parameter_missing. */
export function missing(param: string): Error {
  return refuse(`Missing required param: ${param}.`, { code: 'parameter_missing', param })
}

function textOf(raw: unknown, path: string): string {
  if (typeof raw !== 'string') throw refuse(`Invalid string: ${JSON.stringify(raw)}`, { param: path })
  return raw
}

/** Marks a parameter that must be sent and not be empty. */
export function required<T>(param: Param<T>): Param<NonNullable<T>> & { readonly required: true } {
  const read = (raw: unknown, path: string) => {
    const value = param.read(raw, path)
    if (value === null || value === undefined) throw missing(path)
    return value
  }
  return { required: true, read }
}

/** A text of at most `max` characters; '' clears it (null). */
export function text(max = 5000): Param<string | null> {
  return {
    read: (raw, path) => {
      const value = textOf(raw, path)
      if (value.length > max) {
        const message = `Invalid string: ${value.slice(0, 10)}...${value.slice(-5)}; must be at most ${max} characters`
        throw refuse(message, { param: path })
      }
      return value === '' ? null : value
    },
  }
}

/** A whole number. */
export function integer(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): Param<number> {
  return {
    read: (raw, path) => {
      const value = textOf(raw, path)
      if (!/^-?\d{1,15}$/.test(value)) {
        throw refuse(`Invalid integer: ${value}`, { code: 'parameter_invalid_integer', param: path })
      }
      const number = Number(value)
      if (number < min)
        throw refuse(`This value must be greater than or equal to ${min}.`, {
          code: 'parameter_invalid_integer',
          param: path,
        })
      if (number > max)
        throw refuse(`This value must be less than or equal to ${max}.`, {
          code: 'parameter_invalid_integer',
          param: path,
        })
      return number
    },
  }
}

/** A decimal of at most 12 places, kept as text. */
export const decimal: Param<string> = {
  read: (raw, path) => {
    const value = textOf(raw, path)
    if (!/^-?\d{1,15}(\.\d{1,12})?$/.test(value)) throw refuse(`Invalid decimal: ${value}`, { param: path })
    return value
  },
}

export const boolean: Param<boolean> = {
  read: (raw, path) => {
    const value = textOf(raw, path)
    if (value !== 'true' && value !== 'false') throw refuse(`Invalid boolean: ${value}`, { param: path })
    return value === 'true'
  },
}

/** One of the given words. */
export function oneOf<const T extends string>(...words: readonly T[]): Param<T> {
  return {
    read: (raw, path) => {
      const value = textOf(raw, path)
      const found = words.find((word) => word === value)
      if (found !== undefined) return found
      const list = words.length === 1 ? words[0] : `${words.slice(0, -1).join(', ')}, or ${words.at(-1)}`
      throw refuse(`Invalid ${path}: must be one of ${list}`, { param: path })
    },
  }
}

/** The same, where '' clears. */
export function clearable<T>(param: Param<T>): Param<T | null> {
  return { read: (raw, path) => (raw === '' ? null : param.read(raw, path)) }
}

/** A nested hash; '' clears. */
export function hash<const S extends Shape>(shape: S): Param<Values<S> | null> {
  return { read: (raw, path) => (raw === '' ? null : readParams(shape, raw, path)) }
}

/** A list, sent as `a[0]`, `a[]` or (qs beyond its limit) an object with numeric keys; '' clears. */
export function list<T>(item: Param<T>, max = 1000): Param<readonly T[] | null> {
  return {
    read: (raw, path) => {
      if (raw === '') return null
      const items = Array.isArray(raw) ? (raw as unknown[]) : numericValues(raw)
      if (items === null) throw refuse('Invalid array', { param: path })
      if (items.length > max) throw refuse(`Array too large: at most ${max} elements.`, { param: path })
      return items.map((element, index) => item.read(element, `${path}[${index}]`))
    },
  }
}

function numericValues(raw: unknown): readonly unknown[] | null {
  return isRecord(raw) && Object.keys(raw).every((key) => /^\d+$/.test(key)) ? Object.values(raw) : null
}

/** A hash with free keys, such as prices by currency; the values are read as texts. */
export type MetadataPatch = Readonly<Record<string, string>> | null

/** Metadata: at most 50 keys of 40 characters, values of 500 [stripe docs: metadata]; a key set to '' goes. */
export const metadata: Param<MetadataPatch> = {
  read: (raw, path) => {
    if (raw === '') return null
    if (!isRecord(raw)) throw refuse('Invalid object', { param: path })
    for (const [key, value] of Object.entries(raw)) {
      if (key.length > 40) throw refuse(`Metadata keys can be at most 40 characters.`, { param: path })
      if (textOf(value, `${path}[${key}]`).length > 500) {
        throw refuse('Metadata values can have up to 500 characters', { param: `${path}[${key}]` })
      }
    }
    return raw as Readonly<Record<string, string>>
  },
}

/** Merges a metadata parameter into what is there; null clears everything [stripe docs: metadata]. */
export function mergeMetadata(
  current: Readonly<Record<string, string>>,
  patch: MetadataPatch | undefined,
): Record<string, string> {
  if (patch === undefined) return { ...current }
  if (patch === null) return {}
  const merged = Object.fromEntries(
    Object.entries({ ...current, ...patch }).filter(([, value]) => value !== ''),
  )
  if (Object.keys(merged).length > 50) {
    throw refuse('You can have up to 50 metadata keys.', { param: 'metadata' })
  }
  return merged
}

/** A parameter that Stripe knows and the sandbox does not implement. */
export const unbuilt: Param<never> = {
  read: (_raw, path) => {
    throw notBuilt(path)
  },
}

/** A three-letter currency code, lower case. */
export const currencyCode: Param<string> = {
  read: (raw, path) => {
    const value = textOf(raw, path).toLowerCase()
    if (!/^[a-z]{3}$/.test(value)) throw refuse(`Invalid currency: ${value}.`, { param: path })
    return value
  },
}

const range = { gt: integer(), gte: integer(), lt: integer(), lte: integer() }

/** An instant, or a range of them. */
export const timeRange: Param<Values<typeof range>> = {
  read: (raw, path) => {
    if (!isRecord(raw)) {
      const exact = integer().read(raw, path)
      return { gte: exact, lte: exact }
    }
    return readParams(range, raw, path)
  },
}

/** Whether `at` lies in the range; no range takes all. */
export function isInRange(at: number, within: Values<typeof range> | undefined): boolean {
  if (within === undefined) return true
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = within
  return at > gt && at >= gte && at < lt && at <= lte
}

/** The parameters of every list. */
export const page = { limit: integer(1, 100), starting_after: text(), ending_before: text() }
