import type { InvoiceOfEvent } from '../../db/stores/invoices-of-events.ts'
import type { StripeEventRow } from '../../db/stores/stripe-events.ts'
import type { RelayDeps } from '../relay.ts'

/** What became of an event: done, with a word for people, or to be tried again later and why. */
export type Outcome = { readonly outcome: string } | { readonly later: string }

/** What an event comes to whose Stripe customer is changed by another. */
export const notItsTurn: Outcome = { later: 'what this Stripe customer is charged is being changed' }

/** What a handler acts with. */
export interface HandlerDeps extends RelayDeps {
  /** Our invoice that an event is about; what a batch asks at one time is one question. */
  readonly invoiceOf: (event: StripeEventRow) => Promise<InvoiceOfEvent | undefined>
}

/**
 * Acts on one event of Stripe: fetches what it is about and brings ours in line with it. Repeatable; what is thrown is
 * tried again with a growing delay.
 */
export type EventHandler = (deps: HandlerDeps, event: StripeEventRow) => Promise<Outcome>
