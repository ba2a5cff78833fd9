import type { Stripe } from 'stripe'

/** True when the answer is a stored one (same idempotency key again): it tells what was, not what is. */
export function isReplay(reply: Stripe.Response<unknown>): boolean {
  return isReplayed(reply.lastResponse.headers)
}

export function isReplayed(headers: Readonly<Record<string, string>> | undefined): boolean {
  return headers?.['idempotent-replayed'] === 'true'
}
