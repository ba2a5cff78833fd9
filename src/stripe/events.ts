import type { Stripe } from 'stripe'
import type { Connection } from './client.ts'
import { classifyStripeError } from './failures.ts'
import { metadataKeys } from './metadata.ts'
import type { EventsPage, EventsQuery, VerifiedEvent } from './types.ts'

/** What the endpoint is asked to send, and what polling asks for: at most 20, the limit of the list's filter. */
export const webhookEvents = [
  'invoice.finalized',
  'invoice.finalization_failed',
  'invoice.sent',
  'invoice.paid',
  'invoice.payment_failed',
  'invoice.payment_action_required',
  'invoice.overdue',
  'invoice.overpaid',
  'invoice.voided',
  'invoice.marked_uncollectible',
  'invoice.deleted',
  'invoice_payment.paid',
  'customer.updated',
  'customer.deleted',
  'payment_method.attached',
  'payment_method.detached',
] as const satisfies readonly Stripe.Event.Type[]

const PAGE = 100
/** Reading from the oldest ends here, whatever an account has: 100,000 events. */
const MAX_PAGES = 1000

/** One page of events after the cursor, oldest first; call again while it is not empty. */
export async function listEvents(connection: Connection, query: EventsQuery): Promise<EventsPage> {
  const types = [...(query.types ?? webhookEvents)]
  const after = query.afterEventId
  if (after === null) return await retainedEvents(connection, types)
  try {
    const page = await connection.call('events.list', (stripe) =>
      stripe.events.list({ ending_before: after, limit: PAGE, types }),
    )
    const events = page.data.toReversed().map(readEvent)
    return { events, cursor: events.at(-1)?.id ?? after }
  } catch (error) {
    // Stripe forgets events after 30 days: all that it still has came after the cursor.
    if (classifyStripeError(error).code !== 'resource_missing') throw error
    return await retainedEvents(connection, types)
  }
}

/** The newest event of any type: where polling of an account begins. Null when it has none. */
export async function newestEventId(connection: Connection): Promise<string | null> {
  const newest = await connection.call('events.list', (stripe) => stripe.events.list({ limit: 1 }))
  return newest.data[0]?.id ?? null
}

/** Everything that Stripe still has. Lists begin with the newest: only all pages together have an oldest first. */
async function retainedEvents(connection: Connection, types: string[]): Promise<EventsPage> {
  const events: VerifiedEvent[] = []
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const last = events.at(-1)?.id
    const page = await connection.call('events.list', (stripe) =>
      stripe.events.list({ limit: PAGE, types, ...(last !== undefined && { starting_after: last }) }),
    )
    events.push(...page.data.map(readEvent))
    if (!page.has_more) break
  }
  return { events: events.toReversed(), cursor: events[0]?.id ?? null }
}

/**
 * Ids and type of an event of any API version; members that another version lacks or shapes differently are null. Its
 * data is not kept: the object is fetched.
 */
export function readEvent(event: Stripe.Event): VerifiedEvent {
  const object = asRecord(event.data?.object)
  const isInvoice = object['object'] === 'invoice'
  return {
    id: event.id,
    type: event.type,
    objectId: idOf(object) ?? '',
    invoiceId: text(asRecord(object['metadata'])[metadataKeys.invoice]),
    stripeInvoiceId: isInvoice ? idOf(object) : idOf(object['invoice']),
    stripeCustomerId: object['object'] === 'customer' ? idOf(object) : idOf(object['customer']),
    createdMs: event.created * 1000,
    livemode: event.livemode,
    apiVersion: event.api_version ?? null,
  }
}

/** The id of an object that may be expanded. */
export function idOf(reference: unknown): string | null {
  return text(reference) ?? text(asRecord(reference)['id'])
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
