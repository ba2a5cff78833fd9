import type { StripeEventRow } from '../../db/stores/stripe-events.ts'
import type { RelayDeps } from '../relay.ts'

/** What became of an event: done, with a word for people, or to be tried again later and why. */
export type Outcome = { readonly outcome: string } | { readonly later: string }

/**
 * Acts on one event of Stripe: fetches what it is about and brings ours in line with it. Repeatable; what is thrown is
 * tried again with a growing delay.
 */
export type EventHandler = (deps: RelayDeps, event: StripeEventRow) => Promise<Outcome>
