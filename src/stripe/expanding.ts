import type { Stripe } from 'stripe'
import type { Connection } from './client.ts'
import { lacksPermission } from './permissions.ts'

/**
 * What an invoice is asked for with, the fullest first: its payments down to what became of each (four levels, Stripe's
 * limit); which payments there are; nothing but itself. A restricted key may not be allowed the first.
 */
const expansions: readonly (readonly string[])[] = [
  ['payments.data.payment.payment_intent'],
  ['payments'],
  [],
]

/** How much a key may expand. Permissions are given to keys that are in use: it is tried again after a while. */
export interface Expansion {
  readonly level: () => number
  readonly learn: (level: number) => void
}

const TRY_AGAIN_AFTER_MS = 10 * 60 * 1000

export function createExpansion(nowMs: () => number = () => performance.now()): Expansion {
  let known = { level: 0, untilMs: 0 }
  return {
    level: () => (nowMs() < known.untilMs ? known.level : 0),
    learn: (level) => {
      known = { level, untilMs: nowMs() + TRY_AGAIN_AFTER_MS }
    },
  }
}

/** Makes a request that answers with an invoice, with as much of it as the key may read. */
export async function callExpanding<T>(
  connection: Connection,
  endpoint: string,
  request: (stripe: Stripe, expand: string[]) => Promise<T>,
): Promise<T> {
  const first = connection.expansion.level()
  for (let level = first; ; level++) {
    try {
      const expand = [...(expansions[level] ?? [])]
      const reply = await connection.call(endpoint, (stripe) => request(stripe, expand))
      if (level > first) connection.expansion.learn(level)
      return reply
    } catch (error) {
      // Refused before it was executed: under the same idempotency key the next try is the first.
      if (level >= expansions.length - 1 || !lacksPermission(error)) throw error
    }
  }
}
