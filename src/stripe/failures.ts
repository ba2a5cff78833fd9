import { Stripe } from 'stripe'
import { DomainError } from '../domain/errors.ts'
import { isReplayed } from './replay.ts'
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

/**
 * The one place that decides what a failed call means. Anything that Stripe did not refuse for good is retryable;
 * `afterSend` says that the write may have been made although no answer came.
 */
export function classifyStripeError(error: unknown): ClassifiedFailure {
  if (error instanceof StripeFailure) return error.failure
  if (error instanceof DomainError) {
    return { kind: 'final', code: error.code, message: error.message, afterSend: false }
  }
  if (error instanceof Stripe.errors.StripeError) return classifyReply(error)
  return { kind: 'retryable', code: 'unexpected', message: messageOf(error), afterSend: true }
}

/** Wraps what the client throws; our own errors pass. */
export function toStripeFailure(error: unknown): Error {
  if (error instanceof StripeFailure || error instanceof DomainError) return error
  return new StripeFailure(classifyStripeError(error), error)
}

/** A failure that we find ourselves, in the same shape. */
export function stripeFailure(failure: Omit<ClassifiedFailure, 'afterSend'>): StripeFailure {
  return new StripeFailure({ ...failure, afterSend: false })
}

type StripeError = InstanceType<typeof Stripe.errors.StripeError>

function classifyReply(error: StripeError): ClassifiedFailure {
  const { errors } = Stripe
  if (error instanceof errors.StripeConnectionError) {
    const afterSend = error.requestId !== undefined || !neverSent(error)
    return failure(error, { kind: 'retryable', code: 'connection_failed', afterSend })
  }
  if (error instanceof errors.StripeAuthenticationError || error instanceof errors.StripePermissionError) {
    return failure(error, {
      kind: 'auth',
      code: error.statusCode === 403 ? 'permission_missing' : 'unauthorized',
    })
  }
  if (error.statusCode === 402 || error instanceof errors.StripeCardError) {
    return failure(error, { kind: 'outcome', code: 'card_declined' })
  }
  // The key was used with other parameters: what it made must be found before the next generation.
  if (error instanceof errors.StripeIdempotencyError && error.statusCode === 400) {
    return failure(error, { kind: 'pinned', code: 'idempotency_key_reused', afterSend: true })
  }
  if (error.statusCode === 409) {
    return failure(error, { kind: 'retryable', code: 'idempotency_key_in_use', afterSend: true })
  }
  if (error.statusCode === 429) return classifyLimited(error)
  const refused = error.statusCode !== undefined && error.statusCode < 500
  if (refused) return failure(error, { kind: 'final', code: 'invalid_request' })
  // 5xx, and answers that are not JSON (a proxy's 502), whose status the client does not keep.
  return failure(error, {
    kind: isReplayed(error.headers) ? 'pinned' : 'retryable',
    code: 'api_error',
    afterSend: true,
  })
}

/**
 * The global limiter runs before the idempotency layer: trying again is safe. The others (lock_timeout, an endpoint's)
 * are stored under the key for a day, and only the replay of one shows it.
 */
function classifyLimited(error: StripeError): ClassifiedFailure {
  if (isReplayed(error.headers))
    return failure(error, { kind: 'pinned', code: 'rate_limit', afterSend: true })
  const afterSend =
    error.headers?.['stripe-rate-limited-reason'] === undefined && error.code === 'lock_timeout'
  return failure(error, { kind: 'retryable', code: 'rate_limit', afterSend })
}

interface Verdict {
  readonly kind: ClassifiedFailure['kind']
  readonly code: string
  readonly afterSend?: boolean
}

function failure(error: StripeError, { kind, code, afterSend = false }: Verdict): ClassifiedFailure {
  const retryAfterMs = retryAfter(error.headers?.['retry-after'])
  return {
    kind,
    code: error.code ?? code,
    message: error.message,
    afterSend,
    ...(error.decline_code && { declineCode: error.decline_code }),
    ...(error.param && { param: error.param }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(error.requestId && { requestId: error.requestId }),
  }
}

const beforeConnecting = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

function neverSent(error: StripeError): boolean {
  const { detail } = error
  return typeof detail === 'object' && 'code' in detail && beforeConnecting.has(detail.code)
}

function retryAfter(header: string | undefined): number | undefined {
  const seconds = Number(header)
  return header !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Somebody deleted a draft of ours, which is known by this id. */
export const draftDeleted = (stripeInvoiceId: string): DomainError =>
  new DomainError(
    'stripe_invoice_deleted',
    `somebody deleted the draft ${stripeInvoiceId} at Stripe; retry makes another`,
  )
