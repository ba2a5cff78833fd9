import { onlyAtStripe } from '../billing/only-at-stripe.ts'
import type { OnlyAtStripe } from '../billing/only-at-stripe.ts'
import { pollPage } from '../billing/polled-events.ts'
import { listDeafApps, listPolledApps, polledApp } from '../db/stores/event-polling.ts'
import { reconciledApps, setReconciledEvent } from '../db/stores/reconciliation.ts'
import { insertStripeEvent } from '../db/stores/stripe-events.ts'
import { askedOf, keptOf } from '../stripe/events.ts'
import { classifyStripeError } from '../stripe/failures.ts'
import type { VerifiedEvent } from '../stripe/webhook-types.ts'
import type { Finding, Look, ReconcileDeps, Slice } from './deps.ts'

/** Stripe allots reads sparsely: two lists an hour and account where nothing was missed. */
const LOOK_EVERY_MS = 60 * 60 * 1000
/** A webhook that is younger may be on its way. */
const ON_ITS_WAY_MS = 5 * 60 * 1000

type App = Awaited<ReturnType<typeof reconciledApps>>[number]

/**
 * One page of each account's events since the last time: those whose webhook was lost go into the inbox, which acts on
 * what the object is now. After a restore these are all that happened since; an invoice that is only at Stripe is told of,
 * and its number is not given out again. Those of accounts that are polled are read to their end before workflows are
 * started, for the same reason.
 */
export async function missedEvents(deps: ReconcileDeps, look: Look): Promise<Slice> {
  const isAsked = look.lookedAt === null
  const lookedBefore = new Date(look.now.getTime() - (isAsked ? 0 : LOOK_EVERY_MS))
  const pages: Compared[] = []
  for (const app of await reconciledApps(deps.db, { lookedBefore }))
    pages.push(await compared(app.id, comparePage(deps, app, look)))
  for (const appId of await listPolledApps(deps.db))
    pages.push(await compared(appId, pollOn(deps, appId, look)))
  const isDone = pages.every((page) => page.isDone)
  const deaf = isAsked && isDone ? await listDeafApps(deps.db) : []
  return {
    examined: pages.reduce((sum, page) => sum + page.examined, 0),
    findings: [...pages.flatMap((page) => page.findings), ...deaf.map(unheard)],
    next: isDone ? null : 'more',
  }
}

async function compared(appId: string, page: Promise<Compared>): Promise<Compared> {
  try {
    return await page
  } catch (error) {
    const { code, requestId } = classifyStripeError(error)
    // Findings are logged: Stripe's words are not.
    const detail = `its events could not be read: ${[code, requestId].filter(Boolean).join(', ')}`
    return { ...nothing, findings: [{ kind: 'not_compared', subject: appId, detail, repaired: false }] }
  }
}

const unheard = (subject: string): Finding => ({
  kind: 'not_compared',
  subject,
  detail:
    'its key may not read events, or is not accepted: after a restore, numbers of invoices may be given out again',
  repaired: false,
})

interface Compared {
  readonly examined: number
  readonly findings: readonly Finding[]
  readonly isDone: boolean
}

const nothing: Compared = { examined: 0, findings: [], isDone: true }

/** One page of an account that is polled, as its poller would read it. */
async function pollOn(deps: ReconcileDeps, appId: string, { dryRun }: Look): Promise<Compared> {
  if (dryRun) {
    const app = await polledApp(deps.db, appId)
    if (app === undefined) return nothing
    const { events } = await deps.stripe.listEvents(app, { cursor: app.eventsCursor })
    const unknown = await onlyAtStripe(deps, { app, events: keptOf(app, events), dryRun })
    return { examined: events.length, findings: unknown.map(tellOf), isDone: true }
  }
  const page = await pollPage(deps, appId, 'wait')
  if (typeof page === 'string') return nothing
  return { examined: page.count, findings: page.onlyThere.map(tellOf), isDone: page.count === 0 }
}

async function comparePage(deps: ReconcileDeps, app: App, { dryRun, now }: Look): Promise<Compared> {
  if (app.reconciledEvent === null && app.reconciledAt === null) {
    // Polled until now: from here on.
    const event = await deps.stripe.newestEventId(app)
    if (!dryRun) await setReconciledEvent(deps.db, app.id, { event, at: now, isDone: true })
    return nothing
  }
  const { events, cursor } = await deps.stripe.listEvents(app, { cursor: app.reconciledEvent })
  const ours = keptOf(app, events)
  const unknown = await onlyAtStripe(deps, { app, events: ours, dryRun })
  const missed = dryRun ? [] : await storeMissed(deps, app, { events: askedOf(ours), now })
  // A dry run does not move on: one page says what is the matter.
  const isDone = dryRun || events.length === 0
  if (!dryRun) await setReconciledEvent(deps.db, app.id, { event: cursor, at: now, isDone })
  return { examined: events.length, findings: [...unknown.map(tellOf), ...missed], isDone }
}

async function storeMissed(
  deps: ReconcileDeps,
  app: App,
  { events, now }: { readonly events: readonly VerifiedEvent[]; readonly now: Date },
): Promise<readonly Finding[]> {
  const missed: Finding[] = []
  for (const event of events) {
    const isNew = await insertStripeEvent(deps.db, app.id, event)
    if (!isNew || now.getTime() - event.createdMs < ON_ITS_WAY_MS) continue
    const detail = `${event.type} about ${event.objectId} had not come; it is acted on now`
    missed.push({ kind: 'event_missed', subject: event.id, detail, repaired: true })
  }
  return missed
}

function tellOf({ stripeInvoiceId, invoiceId, number }: OnlyAtStripe): Finding {
  return {
    kind: 'invoice_only_at_stripe',
    subject: stripeInvoiceId,
    detail: `${number ?? 'without a number'}, our invoice ${invoiceId}, is not here; its closing adopts it`,
    repaired: false,
  }
}
