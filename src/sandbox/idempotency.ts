import { createHash } from 'node:crypto'
import { StripeRefusal } from './errors.ts'
import type { Store } from './store.ts'
import type { IdempotencyRecord } from './records.ts'

const DAY_MS = 86_400_000

/** What must be the same for a key to be used again: method, path and every parameter, in any order. */
export function fingerprint(method: string, path: string, params: unknown): string {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted)
    if (typeof value !== 'object' || value === null) return value
    return Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)])
  }
  return createHash('sha256')
    .update(JSON.stringify([method, path, sorted(params)]))
    .digest('base64')
}

/** The saved reply of a key, for a day; other parameters under it are refused [stripe docs: idempotent requests]. */
export function savedReply(
  store: Store,
  key: string,
  [print, nowMs]: readonly [string, number],
): IdempotencyRecord | undefined {
  const saved = store.get('idempotency', key)
  if (saved === undefined || nowMs - saved.savedMs > DAY_MS) return undefined
  if (saved.fingerprint === print) return saved
  throw new StripeRefusal(400, {
    type: 'idempotency_error',
    message:
      'Keys for idempotent requests can only be used with the same parameters they were first used with. ' +
      `Try using a key other than '${key}' if you meant to execute a different request.`,
  })
}

/** 409: another request with this key is being executed. */
export function inFlight(key: string): StripeRefusal {
  return new StripeRefusal(409, {
    type: 'idempotency_error',
    code: 'idempotency_key_in_use',
    message:
      `There is currently another in-progress request using this Idempotent Key (that probably means you submitted ` +
      `twice, and the other request is still going through): ${key}. Please try again later.`,
  })
}
