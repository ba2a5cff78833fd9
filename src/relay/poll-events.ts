import type { Database } from '../db/connection.ts'
import {
  endPolling,
  holdPolledApp,
  listPolledApps,
  setEventsCursor,
  stopPolling,
} from '../db/stores/event-polling.ts'
import { insertStripeEvent } from '../db/stores/stripe-events.ts'
import { periodically } from '../periodic.ts'
import type { Periodic } from '../periodic.ts'
import { lacksPermission } from '../stripe/permissions.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'
import type { StoredApp } from '../stripe/types.ts'
import type { EventsPage } from '../stripe/webhook-types.ts'

export interface PollDeps {
  readonly db: Database
  readonly stripe: Pick<StripeGateway, 'listEvents'>
  readonly log: { readonly warn: (fields: object, message: string) => void }
}

const POLL_EVERY_MS = 10_000

/**
 * Reads the events of Stripe accounts that have no webhook endpoint, or a broken one, into the inbox, where webhooks go too.
 * Run as many as there are workers: one account is polled by one at a time.
 */
export function startEventPolling(deps: PollDeps, everyMs = POLL_EVERY_MS): Periodic {
  return periodically(async (stopping) => await pollEvents(deps, stopping), { everyMs })
}

/** One look at every account without an endpoint. What fails is logged and tried again at the next look. */
export async function pollEvents(deps: PollDeps, stopping?: AbortSignal): Promise<void> {
  try {
    for (const appId of await listPolledApps(deps.db)) await pollApp(deps, appId, stopping)
  } catch (error) {
    deps.log.warn({ err: error }, 'apps could not be read; it is tried again')
  }
}

async function pollApp(deps: PollDeps, appId: string, stopping?: AbortSignal): Promise<void> {
  try {
    for (;;) {
      const page = await pollPage(deps, appId)
      if (page === 'elsewhere' || page === 'not_permitted') return
      if (page.count === 0) return await endPolling(deps.db, appId, page.askedAt)
      if (stopping?.aborted === true) return
    }
  } catch (error) {
    deps.log.warn({ appId, err: error }, 'events could not be polled; it is tried again')
  }
}

interface PolledPage {
  readonly count: number
  /** By the database's clock. */
  readonly askedAt: Date
}

/**
 * Stores one page of events together with its cursor, so that a crash neither loses an event nor passes one over.
 * `elsewhere`: another worker reads them, and whether all is read is for that one to say. Events that a webhook brought
 * too are there once (rule 30).
 */
async function pollPage(deps: PollDeps, appId: string): Promise<PolledPage | 'elsewhere' | 'not_permitted'> {
  return await deps.db.transaction().execute(async (trx) => {
    const app = await holdPolledApp(trx, appId)
    if (!app) return 'elsewhere'
    const page = await listEvents(deps, app)
    if (page === 'not_permitted') {
      await stopPolling(trx, app)
      return page
    }
    const { events, cursor } = page
    for (const event of events) {
      if (event.livemode === app.livemode) await insertStripeEvent(trx, appId, event)
    }
    if (cursor !== app.eventsCursor) await setEventsCursor(trx, appId, cursor)
    return { count: events.length, askedAt: app.askedAt }
  })
}

async function listEvents(
  { stripe, log }: PollDeps,
  app: StoredApp & { readonly eventsCursor: string | null },
): Promise<EventsPage | 'not_permitted'> {
  try {
    return await stripe.listEvents(app, { cursor: app.eventsCursor })
  } catch (error) {
    if (!lacksPermission(error)) throw error
    log.warn({ appId: app.id }, 'the key may not read events: what no webhook tells is seen at the next look')
    return 'not_permitted'
  }
}
