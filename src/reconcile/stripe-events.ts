import { passInvoiceNumber } from '../db/stores/invoice-numbers.ts'
import { invoicesHere, reconciledApps, setReconciledEvent } from '../db/stores/reconciliation.ts'
import { insertStripeEvent } from '../db/stores/stripe-events.ts'
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
 * and its number is not given out again.
 */
export async function missedEvents(deps: ReconcileDeps, look: Look): Promise<Slice> {
  const isAsked = look.lookedAt === null
  const lookedBefore = new Date(look.now.getTime() - (isAsked ? 0 : LOOK_EVERY_MS))
  const findings: Finding[] = []
  let examined = 0
  let isDone = true
  for (const app of await reconciledApps(deps.db, { lookedBefore })) {
    try {
      const page = await comparePage(deps, app, look)
      examined += page.examined
      findings.push(...page.findings)
      isDone &&= page.isDone
    } catch (error) {
      const { code, requestId } = classifyStripeError(error)
      // Findings are logged: Stripe's words are not.
      const detail = `its events could not be read: ${[code, requestId].filter(Boolean).join(', ')}`
      findings.push({ kind: 'not_compared', subject: app.id, detail, repaired: false })
    }
  }
  return { examined, findings, next: isDone ? null : 'more' }
}

interface Compared {
  readonly examined: number
  readonly findings: readonly Finding[]
  readonly isDone: boolean
}

async function comparePage(deps: ReconcileDeps, app: App, { dryRun, now }: Look): Promise<Compared> {
  if (app.reconciledEvent === null && app.reconciledAt === null) {
    // Polled until now: from here on.
    const event = await deps.stripe.newestEventId(app)
    if (!dryRun) await setReconciledEvent(deps.db, app.id, { event, at: now, isDone: true })
    return { examined: 0, findings: [], isDone: true }
  }
  const { events, cursor } = await deps.stripe.listEvents(app, { cursor: app.reconciledEvent })
  const ours = events.filter((event) => event.livemode === app.livemode)
  const unknown = await onlyAtStripe(deps, app, { events: ours, dryRun })
  const missed = dryRun ? [] : await storeMissed(deps, app, { events: ours, now })
  // A dry run does not move on: one page says what is the matter.
  const isDone = dryRun || events.length === 0
  if (!dryRun) await setReconciledEvent(deps.db, app.id, { event: cursor, at: now, isDone })
  return { examined: events.length, findings: [...unknown, ...missed], isDone }
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

/** Invoices with an id of ours that are not here: made after what was restored, or of rows that somebody removed. */
async function onlyAtStripe(
  deps: ReconcileDeps,
  app: App,
  { events, dryRun }: { readonly events: readonly VerifiedEvent[]; readonly dryRun: boolean },
): Promise<readonly Finding[]> {
  const atStripe = new Map<string, string>()
  for (const { invoiceId, stripeInvoiceId, type } of events) {
    const isFinal = type === 'invoice.finalized' || type === 'invoice.paid'
    if (isFinal && invoiceId !== null && stripeInvoiceId !== null) atStripe.set(invoiceId, stripeInvoiceId)
  }
  const here = await invoicesHere(deps.db, [...atStripe.keys()])
  const findings: Finding[] = []
  for (const [invoiceId, stripeInvoiceId] of atStripe) {
    if (here.has(invoiceId)) continue
    const { number } = await deps.stripe.getInvoice(app, stripeInvoiceId)
    if (number !== null && !dryRun) await passInvoiceNumber(deps.db, number)
    findings.push({
      kind: 'invoice_only_at_stripe',
      subject: stripeInvoiceId,
      detail: `${number ?? 'without a number'}, our invoice ${invoiceId}, is not here; its closing adopts it`,
      repaired: false,
    })
  }
  return findings
}
