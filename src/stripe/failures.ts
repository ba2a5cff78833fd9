import type { ClassifiedFailure } from './types.ts'

/** A call to Stripe that failed, classified once: activities decide by `failure.kind`. */
export class StripeFailure extends Error {
  override readonly name = 'StripeFailure'
  readonly failure: ClassifiedFailure

  constructor(failure: ClassifiedFailure, cause?: unknown) {
    super(failure.message, { cause })
    this.failure = failure
  }
}
