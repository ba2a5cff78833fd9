import type { Database } from '../db/connection.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'
import type { TemporalGateway } from '../temporal/gateway.ts'
import { INBOX_BATCH, deliverInbox } from './inbox.ts'
import { deliverOutbox } from './outbox.ts'

export interface RelayDeps {
  readonly db: Database
  readonly temporal: TemporalGateway
  /** What an event is about is fetched (rule 30). */
  readonly stripe: StripeGateway
  readonly newId: () => string
  readonly log: { readonly warn: (fields: object, message: string) => void }
  readonly observer?: RelayObserver
}

/** Told what became of each row that was taken; metrics are made of it. */
export interface RelayObserver {
  readonly delivered: (delivery: {
    readonly box: 'inbox' | 'outbox'
    readonly kind: string
    readonly outcome: 'done' | 'deferred' | 'given_up'
    /** Since the row was written. */
    readonly seconds: number
  }) => void
}

export interface Relay {
  /** Something was put into the outbox: do not wait for the next look. */
  readonly kick: () => void
  /** Finishes the delivery under way and stops. */
  readonly stop: () => Promise<void>
}

/** Rows appear from other processes too: look this often without being kicked. */
const LOOK_EVERY_MS = 250
const AFTER_FAILURE_MS = 1_000

/**
 * Moves outbox and inbox rows to Temporal, at least once and in order of arrival: a crash between any two steps leaves
 * the row to be delivered again, and every delivery is safe to repeat. The two do not wait for each other: an event is
 * looked up at Stripe, which may be slow. Run as many relays as there are workers.
 */
export function startRelay(deps: RelayDeps): Relay {
  // Of one payment Stripe tells half a dozen events: they come together in a look, each batch is a transaction.
  const inbox = startLoop(async () => (await deliverInbox(deps)) >= INBOX_BATCH, deps.log)
  const outbox = startLoop(async () => (await deliverOutbox(deps)) > 0, deps.log)
  return {
    kick: outbox.kick,
    stop: async () => {
      await Promise.all([inbox.stop(), outbox.stop()])
    },
  }
}

/** `deliver` answers whether to look again at once. */
function startLoop(deliver: () => Promise<boolean>, log: RelayDeps['log']): Relay {
  const state = { stopped: false }
  let wake: () => void = () => {}
  let kicked = false

  const idle = async (ms: number): Promise<void> => {
    if (kicked) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  const run = async (): Promise<void> => {
    while (!state.stopped) {
      kicked = false
      try {
        if (!(await deliver())) await idle(LOOK_EVERY_MS)
      } catch (error) {
        log.warn({ err: error }, 'delivery failed; it is tried again')
        await idle(AFTER_FAILURE_MS)
      }
    }
  }
  const running = run()
  return {
    kick: () => {
      kicked = true
      wake()
    },
    stop: async () => {
      state.stopped = true
      wake()
      await running
    },
  }
}
