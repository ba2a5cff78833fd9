import { DomainError } from '../domain/errors.ts'

/** An instant of a request; its shape was checked by the schema, but not that it exists or fits a timestamp. */
export function parseInstant(text: string, field: string): Date {
  const at = new Date(text)
  const year = Number.isNaN(at.getTime()) ? Number.NaN : at.getUTCFullYear()
  if (year >= 1970 && year <= 9999) return at
  throw new DomainError('validation_failed', `${text} is not an instant between the years 1970 and 9999.`, {
    field,
  })
}
