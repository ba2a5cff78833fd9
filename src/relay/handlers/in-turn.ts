import { endTurn, takeTurn } from '../../db/stores/stripe-customer-turns.ts'
import { classifyStripeError } from '../../stripe/failures.ts'
import type { RelayDeps } from '../relay.ts'
import type { Outcome } from './outcome.ts'

/** What an event comes to whose Stripe customer is changed by another. */
export const notItsTurn: Outcome = { later: 'what this Stripe customer is charged is being changed' }

/**
 * Changes what a Stripe customer is charged, here and at Stripe, while nobody else does; null: somebody else does. A call
 * that was given up may land yet: until it must have, nobody else's turn comes, lest the older of two cards won.
 */
export async function inTurnOf<T>(
  deps: RelayDeps,
  of: { readonly appId: string; readonly stripeCustomerId: string },
  work: () => Promise<T>,
): Promise<T | null> {
  const holder = deps.newId()
  if (!(await takeTurn(deps.db, of, holder))) return null
  try {
    const result = await work()
    await endTurn(deps.db, of, holder)
    return result
  } catch (error) {
    if (!classifyStripeError(error).afterSend) await endTurn(deps.db, of, holder)
    throw error
  }
}
