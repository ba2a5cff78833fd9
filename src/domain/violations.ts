import { DomainError, type ErrorCode } from './errors.ts'

/** Why a plan cannot be published: the field, a code of the one table, and words for people. */
export interface Violation {
  /** Path in the caller's document, e.g. `phases[0].rateCards[1].billingCadence`. */
  readonly field: string
  readonly code: ErrorCode
  readonly message: string
}

/** Turns the refusal of a parser into a violation of a field. */
export function refusals(field: string, parse: () => unknown): readonly Violation[] {
  try {
    parse()
    return []
  } catch (error) {
    if (error instanceof DomainError) return [{ field, code: error.code, message: error.message }]
    throw error
  }
}

/** A violation without a code of its own. */
export function invalid(field: string, message: string): Violation {
  return { field, code: 'validation_failed', message }
}
