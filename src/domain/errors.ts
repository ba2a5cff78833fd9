import { errorCodes, type ErrorCode } from './error-codes.ts'

export { errorCodes, type ErrorCode } from './error-codes.ts'

export interface DomainErrorOptions {
  /** Path of the offending field in the caller's document, e.g. `phases[0].rateCards[1].price.tiers[2].upToAmount`. */
  readonly field?: string
  /** Facts that help to act on it; must be JSON and hold nothing secret. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** A refusal with a code of the one table: the API answers its status, the docs have a heading for it. */
export class DomainError extends Error {
  override readonly name = 'DomainError'
  readonly code: ErrorCode
  readonly field?: string
  readonly details?: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message?: string, options: DomainErrorOptions = {}) {
    super(message ?? errorCodes[code].title)
    this.code = code
    if (options.field !== undefined) this.field = options.field
    if (options.details !== undefined) this.details = options.details
  }
}

/** Recognizes a refusal also when it crossed a realm (the workflow sandbox), where `instanceof` fails. */
export function isDomainError(error: unknown): error is DomainError {
  return error instanceof Error && error.name === 'DomainError' && 'code' in error
}

/** What is asked for; null where the answer is a refusal under this code, such as that it does not exist. */
export async function orNull<T>(asked: Promise<T>, code: ErrorCode): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if (isDomainError(error) && error.code === code) return null
    throw error
  }
}

/** Whether a text is a code of the table: codes cross Temporal as the type of a failure. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code)
}

/** Closes a switch over a union: a case that was forgotten does not compile. */
export function assertNever(value: never): never {
  throw new DomainError('internal_error', `Unexpected value ${JSON.stringify(value)}`)
}
