import type { TSchema } from 'typebox'
import { DomainError, isDomainError } from '../domain/errors.ts'
import { propertiesOf } from './schemas/snake-case.ts'

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What `successURL`, `successUrl` and `success_url` have in common. */
const sound = (name: string): string => name.replaceAll('_', '').toLowerCase()

/**
 * A value with its fields named as the schema names them, whichever way they were spelled: documents of several
 * generations write `successURL`, `successUrl` and `success_url`. A field that is spelled right wins; one that the schema
 * does not know stays.
 */
export function respelled(value: unknown, schema: TSchema): unknown {
  const properties = propertiesOf(schema)
  if (properties === undefined || !isFields(value)) return value
  const names = new Map(Object.keys(properties).map((name) => [sound(name), name]))
  const right: Record<string, unknown> = {}
  for (const [given, inner] of Object.entries(value)) {
    const name = Object.hasOwn(properties, given) ? given : (names.get(sound(given)) ?? given)
    if (name !== given && Object.hasOwn(value, name)) continue
    const property = properties[name]
    right[name] = property === undefined ? inner : respelled(inner, property)
  }
  return right
}

/** Does something whose refusals name the fields of another document than the caller's: `respell` puts in the caller's. */
export async function refusingAs<T>(respell: (text: string) => string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!isDomainError(error)) throw error
    const { code, message, field, details } = error
    throw new DomainError(code, respell(message), {
      ...(field !== undefined && { field: respell(field) }),
      ...(details !== undefined && { details }),
    })
  }
}
