import { afterAsLongAgain } from './growing-wait.ts'

const MINUTE_MS = 60_000

/** Why Stripe cannot be asked, whatever it would say. Each ends by itself, or when the key is mended. */
const outageCodes = [
  'stripe_unavailable',
  'stripe_key_unauthorized',
  'stripe_permission_missing',
  'stripe_key_missing',
  'stripe_secret_unreadable',
] as const
export type OutageCode = (typeof outageCodes)[number]

export const isOutageCode = (code: string | null): code is OutageCode =>
  outageCodes.some((each) => each === code)

/** When Stripe is asked again: after a minute, then after as long again as it has waited, at most four hours. */
export function nextTryMs(asOfMs: number, sinceMs: number): number {
  return afterAsLongAgain(asOfMs, sinceMs, { leastMs: MINUTE_MS, mostMs: 240 * MINUTE_MS })
}
