import { DomainError } from '../domain/errors.ts'

/** The row, or a 404 that says what there is not. */
export function found<T>(row: T | null, kind: string, idOrKey: string): T {
  if (row === null) throw new DomainError('not_found', `There is no ${kind} ${idOrKey}.`)
  return row
}
