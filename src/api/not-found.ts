import { DomainError } from '../domain/errors.ts'

/** The row, or a 404 that says what there is not, and in which field of a body it was named. */
export function found<T>(row: T | null, kind: string, idOrKey: string, field?: string): T {
  if (row !== null) return row
  throw new DomainError('not_found', `There is no ${kind} ${idOrKey}.`, field === undefined ? {} : { field })
}
