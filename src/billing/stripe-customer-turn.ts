import { setTimeout as pause } from 'node:timers/promises'
import type { Db } from '../db/connection.ts'
import { endTurn, takeTurn } from '../db/stores/stripe-customer-turns.ts'
import { DomainError } from '../domain/errors.ts'
import { classifyStripeError } from '../stripe/failures.ts'

interface TurnDeps {
  readonly db: Db
  readonly newId: () => string
}

interface StripeCustomer {
  readonly appId: string
  readonly stripeCustomerId: string
}

/** Most turns take less than a second; a caller of the API waits no longer than this for one. */
const WAIT_MS = 5_000
const PAUSE_MS = 50

/**
 * Changes what a Stripe customer is charged, here and at Stripe, while nobody else does; null: somebody else does. A call
 * that was given up may land yet: until it must have, nobody else's turn comes, lest the older of two cards won.
 */
export async function inTurnOf<T>(
  deps: TurnDeps,
  of: StripeCustomer,
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

/**
 * The same for one who cannot come again later, and changes what several are charged: waits some seconds for each turn.
 * Errors: stripe_customer_busy.
 */
export async function whenTheirTurn(
  deps: TurnDeps,
  of: readonly StripeCustomer[],
  work: () => Promise<void>,
): Promise<void> {
  const each = new Map(of.map((one) => [`${one.appId}/${one.stripeCustomerId}`, one])).values()
  const inTurn = [...each].reduceRight((inner, one) => async () => await whenItsTurn(deps, one, inner), work)
  await inTurn()
}

async function whenItsTurn(deps: TurnDeps, of: StripeCustomer, work: () => Promise<void>): Promise<void> {
  const untilMs = Date.now() + WAIT_MS
  const done = async (): Promise<true> => {
    await work()
    return true
  }
  while ((await inTurnOf(deps, of, done)) === null) {
    if (Date.now() > untilMs)
      throw new DomainError(
        'stripe_customer_busy',
        `What ${of.stripeCustomerId} is charged is being changed by another call.`,
      )
    await pause(PAUSE_MS)
  }
}
