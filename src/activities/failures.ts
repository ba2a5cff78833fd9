import { isOutageCode } from '../billing/invoice-outage.ts'
import type { OutageCode } from '../billing/invoice-outage.ts'
import { isDomainError } from '../domain/errors.ts'
import { StripeFailure } from '../stripe/failures.ts'
import type { ClassifiedFailure } from '../stripe/types.ts'

/** What a failed call to Stripe means for the step. */
export type Verdict =
  /** Temporal tries the step again. */
  | { readonly kind: 'retry'; readonly error: Error }
  /** Stripe does not answer, or does not let us in: it is tried again, and shown meanwhile. */
  | Away
  /** A person has to act: the row says why and waits for `retry`. */
  | { readonly kind: 'final'; readonly code: string; readonly message: string }
  /** An earlier failure is cached under the idempotency key: go on under the next generation (rule 31). */
  | { readonly kind: 'pinned' }

export interface Away {
  readonly kind: 'away'
  readonly code: OutageCode
  readonly message: string
  /** Somebody has to mend it: trying again in a second is of no use. */
  readonly lasts: boolean
  readonly error: Error
}

/**
 * The one place that decides which failures are final. Unknown failures are retried: a bug that is mended lets the step
 * go on, and its workflow shows it as pending meanwhile.
 */
export function verdictOf(error: unknown): Verdict {
  if (error instanceof StripeFailure) return stripeVerdict(error.failure, error)
  if (isDomainError(error)) {
    const { code, message } = error
    if (code === 'conflict') return { kind: 'retry', error }
    if (isOutageCode(code)) return { kind: 'away', code, message, lasts: true, error }
    return { kind: 'final', code, message }
  }
  return { kind: 'retry', error: error instanceof Error ? error : new Error(String(error)) }
}

function stripeVerdict(failure: ClassifiedFailure, error: Error): Verdict {
  const { message } = failure
  switch (failure.kind) {
    case 'pinned':
      return { kind: 'pinned' }
    case 'final':
    case 'outcome':
      return { kind: 'final', code: failure.code, message }
    case 'auth': {
      const code =
        failure.code === 'permission_missing' ? 'stripe_permission_missing' : 'stripe_key_unauthorized'
      return { kind: 'away', code, message, lasts: true, error }
    }
    case 'retryable':
      return { kind: 'away', code: 'stripe_unavailable', message, lasts: false, error }
  }
}
