import type { Database } from '../db/connection.ts'
import { holdPolledApp, setEventsCursor, stopPolling } from '../db/stores/event-polling.ts'
import type { Waiting } from '../db/stores/event-polling.ts'
import { insertStripeEvent } from '../db/stores/stripe-events.ts'
import { keptOf } from '../stripe/events.ts'
import { lacksPermission } from '../stripe/permissions.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'
import type { StoredApp } from '../stripe/types.ts'
import type { EventsPage } from '../stripe/webhook-types.ts'
import { onlyAtStripe } from './only-at-stripe.ts'
import type { OnlyAtStripe } from './only-at-stripe.ts'

export interface PolledEventsDeps {
  readonly db: Database
  readonly stripe: Pick<StripeGateway, 'listEvents' | 'getInvoice'>
}

export interface PolledPage {
  /** None: all that Stripe has is read. */
  readonly count: number
  readonly onlyThere: readonly OnlyAtStripe[]
  /** By the database's clock. */
  readonly askedAt: Date
}

/**
 * Stores one page of events together with its cursor, so that a crash neither loses an event nor passes one over. Numbers
 * of invoices that are not here are passed over first: after a restore these are all that were given out since.
 * `elsewhere`: another worker reads them, and whether all is read is for that one to say. Events that a webhook brought
 * too are there once (rule 30). `not_permitted`: the key may not, and is not asked again.
 */
export async function pollPage(
  { db, stripe }: PolledEventsDeps,
  appId: string,
  waiting: Waiting,
): Promise<PolledPage | 'elsewhere' | 'not_permitted'> {
  return await db.transaction().execute(async (trx) => {
    const app = await holdPolledApp(trx, appId, waiting)
    if (!app) return 'elsewhere'
    const page = await listEvents(stripe, app)
    if (page === 'not_permitted') {
      await stopPolling(trx, app)
      return page
    }
    const events = keptOf(app, page.events)
    const onlyThere = await onlyAtStripe({ db: trx, stripe }, { app, events, dryRun: false })
    for (const event of events) await insertStripeEvent(trx, appId, event)
    if (page.cursor !== app.eventsCursor) await setEventsCursor(trx, appId, page.cursor)
    return { count: page.events.length, onlyThere, askedAt: app.askedAt }
  })
}

async function listEvents(
  stripe: PolledEventsDeps['stripe'],
  app: StoredApp & { readonly eventsCursor: string | null },
): Promise<EventsPage | 'not_permitted'> {
  try {
    return await stripe.listEvents(app, { cursor: app.eventsCursor })
  } catch (error) {
    if (lacksPermission(error)) return 'not_permitted'
    throw error
  }
}
