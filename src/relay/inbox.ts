import {
  completeStripeEvents,
  deferStripeEvents,
  giveUpStripeEvent,
  hasDueStripeEvents,
  takeStripeEvents,
} from '../db/stores/stripe-events.ts'
import type { Db } from '../db/connection.ts'
import type { StripeEventRow } from '../db/stores/stripe-events.ts'
import { backoffMs } from './backoff.ts'
import { eventHandlers } from './event-handlers.ts'
import type { HandlerDeps, Outcome } from './handlers/outcome.ts'
import { invoiceLookup } from './invoice-lookup.ts'
import { lacksPermission } from '../stripe/permissions.ts'
import type { RelayDeps } from './relay.ts'
import { inTurns } from './turns.ts'
import type { Tried } from './turns.ts'
import { beginOrJoin } from './under-way.ts'
import { within } from './within.ts'

/** Events in a transaction. */
export const INBOX_BATCH = 50
/** One that Stripe keeps waiting is tried again, and holds its batch up no longer: every effect is safe to repeat. */
const LIMIT_MS = 5_000
const LONGEST_WAIT_MS = 60 * 60 * 1000
/** As long as Stripe itself tries to deliver one [stripe docs: webhooks]. */
const GIVEN_UP_AFTER_MS = 3 * 24 * 60 * 60 * 1000
/** Some hours: of one that came while no worker ran, the age alone says nothing. */
const TRIES_AT_LEAST = 16
/** Over about a minute. */
const TRIES_NOT_PERMITTED = 8

/** Hands Stripe's events to their handlers; returns how many were taken. */
export async function deliverInbox(deps: RelayDeps): Promise<number> {
  // Mostly there is nothing: one question says so, without a transaction around it.
  if (!(await hasDueStripeEvents(deps.db))) return 0
  const handlerDeps = { ...deps, invoiceOf: invoiceLookup(deps.db) }
  const delivered = await deps.db.transaction().execute(async (trx) => {
    const events = await takeStripeEvents(trx, INBOX_BATCH)
    const tried = await inTurns(events, {
      keyOf: turnOf,
      tryOnce: async (event) => await outcomeOf(deps, event, handlerDeps),
      holdsUp: (outcome) => 'later' in outcome,
    })
    return await note(trx, tried)
  })
  // What is rolled back comes again, and counts then.
  for (const one of delivered) tell(deps, one)
  return delivered.length
}

type Noted = 'done' | 'deferred' | 'given_up'

interface Delivered {
  readonly event: StripeEventRow
  readonly noted: Noted
}

/** A statement for all that are done, and one for all that wait. */
async function note(db: Db, tried: readonly Tried<StripeEventRow, Outcome>[]): Promise<readonly Delivered[]> {
  const done: { eventId: string; outcome: string }[] = []
  const later: { eventId: string; delayMs: number; error: string }[] = []
  const delivered: Delivered[] = []
  for (const { row: event, outcome, isHeldUp } of tried) {
    const { eventId, attempts } = event
    const isDone = 'outcome' in outcome
    // The one that it waited for may be given up now: then it has a try of its own.
    const noted = isDone ? 'done' : !isHeldUp && isHopeless(event) ? 'given_up' : 'deferred'
    if (isDone) done.push({ eventId, outcome: outcome.outcome })
    else if (noted === 'given_up') await giveUpStripeEvent(db, eventId, outcome.later)
    else later.push({ eventId, delayMs: backoffMs(attempts, LONGEST_WAIT_MS), error: outcome.later })
    delivered.push({ event, noted })
  }
  await completeStripeEvents(db, done)
  await deferStripeEvents(db, later)
  return delivered
}

function tell({ observer, log }: RelayDeps, { event, noted }: Delivered): void {
  if (noted === 'given_up') {
    const { eventId, type, appId, attempts } = event
    // Without the reason, which may be in Stripe's words: the row keeps it, and `perennial doctor` shows it.
    log.warn({ eventId, type, appId, attempts }, 'an event of Stripe was given up')
  }
  // What we act on is a short list; the other types that an endpoint may be sent are one.
  const kind = event.type in eventHandlers ? event.type : 'other'
  const seconds = (Date.now() - event.receivedAt.getTime()) / 1000
  observer?.delivered({ box: 'inbox', kind, outcome: noted, seconds })
}

const isHopeless = ({ receivedAt, attempts }: StripeEventRow): boolean =>
  attempts >= TRIES_AT_LEAST && Date.now() - receivedAt.getTime() > GIVEN_UP_AFTER_MS

/** What saves or chooses a payment method: of two at once, the older could win. */
const ordered: ReadonlySet<string> = new Set([
  'setup_intent.succeeded',
  'checkout.session.completed',
  'customer.updated',
  'payment_method.detached',
])

/** Those of one Stripe customer wait for each other, and those of one subscription; each other event is for itself. */
function turnOf({ type, appId, objectId, sourceId, eventId }: StripeEventRow): string {
  if (ordered.has(type)) return `${appId}/${objectId}`
  return type.startsWith('customer.subscription.') ? `${appId}/${sourceId ?? objectId}` : eventId
}

async function outcomeOf(relay: RelayDeps, event: StripeEventRow, deps: HandlerDeps): Promise<Outcome> {
  const handle = eventHandlers[event.type]
  if (handle === undefined) return { outcome: 'ignored' }
  try {
    const begin = async (): Promise<Outcome> => await handle(deps, event)
    return await within(LIMIT_MS, beginOrJoin(relay, `inbox/${event.eventId}`, begin))
  } catch (error) {
    // Given to the key meanwhile, it is done after all; else the event is of no use to this app.
    if (lacksPermission(error) && event.attempts >= TRIES_NOT_PERMITTED) return { outcome: 'not_permitted' }
    return { later: error instanceof Error ? error.message : String(error) }
  }
}
