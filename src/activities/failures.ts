import { ApplicationFailure } from '@temporalio/common'
import { isDomainError } from '../domain/errors.ts'
import { StripeFailure } from '../stripe/failures.ts'
import type { ClassifiedFailure } from '../stripe/types.ts'

/** An operator has to mend the key: look again now and then, not every second. */
const AUTH_RETRY_MS = 5 * 60 * 1000

/** What a failed call to Stripe means for the step. */
export type Verdict =
  /** Temporal tries the step again; `afterMs` where we know better than its backoff. */
  | { readonly kind: 'retry'; readonly error: Error }
  /** A person has to act: the row says why and waits for `retry`. */
  | { readonly kind: 'final'; readonly code: string; readonly message: string }
  /** An earlier failure is cached under the idempotency key: go on under the next generation (rule 31). */
  | { readonly kind: 'pinned' }

/**
 * The one place that decides which failures are final. Unknown failures are retried: a bug that is mended lets the step
 * go on, and its workflow shows it as pending meanwhile.
 */
export function verdictOf(error: unknown): Verdict {
  if (error instanceof StripeFailure) return stripeVerdict(error.failure, error)
  if (isDomainError(error)) {
    if (error.code === 'conflict') return { kind: 'retry', error }
    return { kind: 'final', code: error.code, message: error.message }
  }
  return { kind: 'retry', error: error instanceof Error ? error : new Error(String(error)) }
}

function stripeVerdict(failure: ClassifiedFailure, error: Error): Verdict {
  switch (failure.kind) {
    case 'pinned':
      return { kind: 'pinned' }
    case 'final':
    case 'outcome':
      return { kind: 'final', code: failure.code, message: failure.message }
    case 'auth':
      return { kind: 'retry', error: retryLater(failure, AUTH_RETRY_MS) }
    case 'retryable':
      return {
        kind: 'retry',
        error: failure.retryAfterMs === undefined ? error : retryLater(failure, failure.retryAfterMs),
      }
  }
}

function retryLater(failure: ClassifiedFailure, nextRetryDelay: number): ApplicationFailure {
  return ApplicationFailure.create({ message: failure.message, type: failure.code, nextRetryDelay })
}
