import { sql } from 'kysely'
import type { Db } from '../connection.ts'

interface StripeCustomer {
  readonly appId: string
  readonly stripeCustomerId: string
}

/** Longer than two calls to Stripe are waited for: one that nobody waits for any more has landed by then, or never will. */
const HELD_SECONDS = 60

/**
 * Takes the turn to change what a Stripe customer is charged; false while another has it. It lapses by itself, and no
 * connection is held meanwhile.
 */
export async function takeTurn(
  db: Db,
  { appId, stripeCustomerId }: StripeCustomer,
  holder: string,
): Promise<boolean> {
  const heldUntil = sql<Date>`now() + ${HELD_SECONDS} * interval '1 second'`
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('stripeCustomerTurns')
    .values({ appId, stripeCustomerId, holder, heldUntil })
    .onConflict((oc) =>
      oc
        .columns(['appId', 'stripeCustomerId'])
        .doUpdateSet({ holder, heldUntil })
        .where('stripeCustomerTurns.heldUntil', '<', sql<Date>`now()`),
    )
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** Gives the turn back, unless it lapsed and is another's. */
export async function endTurn(
  db: Db,
  { appId, stripeCustomerId }: StripeCustomer,
  holder: string,
): Promise<void> {
  await db
    .deleteFrom('stripeCustomerTurns')
    .where('appId', '=', appId)
    .where('stripeCustomerId', '=', stripeCustomerId)
    .where('holder', '=', holder)
    .execute()
}
