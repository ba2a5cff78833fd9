import type { Stripe } from 'stripe'
import type { Connection } from './client.ts'
import { classifyStripeError } from './failures.ts'
import { metadataKeys } from './metadata.ts'
import { pagesOf } from './pages.ts'
import type { EventsPage, EventsQuery, VerifiedEvent } from './webhook-types.ts'

/** What polling asks for, in the order of its lists, and what endpoints are asked to send, but for {@link onlyPolled}. */
export const webhookEvents = [
  // Nothing is done about it. But where an endpoint hears of it, Stripe finalizes a renewal no sooner than we answered, for up
  // to 72 hours: our items still go onto it after an outage.
  'invoice.created',
  'invoice.updated',
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
  'setup_intent.succeeded',
  'checkout.session.completed',
  'customer.subscription.created',
  'customer.subscription.updated',
  'customer.subscription.deleted',
  'charge.refunded',
  'charge.dispute.created',
  'charge.dispute.closed',
  'credit_note.created',
  'credit_note.voided',
] as const satisfies readonly Stripe.Event.Type[]

/** Types that nothing follows from: what is told by one of them is told by another as well. They are not kept. */
const unheeded: ReadonlySet<string> = new Set(['invoice.created', 'invoice_payment.paid'])

/**
 * Changes that the replies to our requests for an invoice tell already: three of these come with every invoice; with
 * its first one a customer gets a currency. What became of an invoice is kept all the same, for a reply may be lost.
 */
const toldByReplies: ReadonlySet<string> = new Set(['invoice.updated', 'customer.updated'])

/** Why an event is passed over: it is of the other mode than the app, or nothing follows from it. Null: it is kept. */
export function passedOver(
  app: { readonly livemode: boolean },
  { livemode, type, isOwn }: Pick<VerifiedEvent, 'livemode' | 'type' | 'isOwn'>,
): 'other_mode' | 'unheeded' | null {
  if (livemode !== app.livemode) return 'other_mode'
  return unheeded.has(type) || (isOwn && toldByReplies.has(type)) ? 'unheeded' : null
}

/** The events of a list that are kept. */
export function keptOf(
  app: { readonly livemode: boolean },
  events: readonly VerifiedEvent[],
): readonly VerifiedEvent[] {
  return events.filter((event) => passedOver(app, event) === null)
}

/**
 * Polled for their places in the lists above, and of no use at an endpoint. A payment of an invoice is told by the invoice.
 * Three changes of each invoice that we charge at once would be told; one whose draft a person may correct looks at it by
 * itself. What sends them all the same, such as an endpoint of before, is heard.
 */
const onlyPolled: ReadonlySet<string> = new Set(['invoice_payment.paid', 'invoice.updated'])

/** What an endpoint is asked to send: what is acted on, and what Stripe waits for an answer to. */
export const endpointEvents = webhookEvents.filter((type) => !onlyPolled.has(type))

/** The events that an endpoint is asked for: one of another type that no webhook brought was not lost. */
export function askedOf<T extends Pick<VerifiedEvent, 'type'>>(events: readonly T[]): readonly T[] {
  return events.filter(({ type }) => !onlyPolled.has(type))
}

/** What an endpoint made by hand has to send at least: what becomes of an invoice. */
export const manualWebhookEvents = [
  'invoice.finalized',
  'invoice.marked_uncollectible',
  'invoice.paid',
  'invoice.voided',
] as const satisfies readonly (typeof webhookEvents)[number][]

/** The version that an endpoint made by hand may be of, or any later one. */
export const MANUAL_API_VERSION = '2022-11-15'

const PAGE = 100
/** Stripe's limit of types in one list. */
const MAX_TYPES = 20
/** Reading from the oldest ends here, whatever an account has: 100,000 events of each list. */
const MAX_PAGES = 1000
/** In a cursor: no event of this list was ever seen. */
const NONE = '-'

/**
 * One page of events after the cursor, oldest first; call again while it is not empty. More types than Stripe lists at once
 * are read as several lists, each from where it was: an event that comes while one of them is read is in its next page.
 */
export async function listEvents(connection: Connection, query: EventsQuery): Promise<EventsPage> {
  const lists = listsOf(query.types ?? webhookEvents)
  const after = placesOf(query.cursor, lists.length)
  const pages = await Promise.all(
    lists.map(async (types, index) => await eventsAfter(connection, types, after[index] ?? null)),
  )
  const places = pages.map((events, index) => events.at(-1)?.id ?? after[index] ?? null)
  // In a stable order of seconds: each list keeps its own within one.
  const events = pages.flat().toSorted((a, b) => a.createdMs - b.createdMs)
  return { events, cursor: cursorOf(places) }
}

/** Types keep their lists, and lists their places in a cursor: new types of event go to the end. */
function listsOf(types: readonly string[]): readonly string[][] {
  return Array.from({ length: Math.ceil(types.length / MAX_TYPES) }, (_, index) =>
    types.slice(index * MAX_TYPES, (index + 1) * MAX_TYPES),
  )
}

/** The last event seen of each list; one alone stands for all. */
function placesOf(cursor: string | null, count: number): readonly (string | null)[] {
  const places = (cursor ?? NONE).split(' ')
  return Array.from({ length: count }, (_, index) => {
    const place = places.length === 1 ? places[0] : places[index]
    return place === undefined || place === NONE ? null : place
  })
}

function cursorOf(places: readonly (string | null)[]): string | null {
  if (places.every((place) => place === null)) return null
  return places.map((place) => place ?? NONE).join(' ')
}

async function eventsAfter(
  connection: Connection,
  types: string[],
  after: string | null,
): Promise<readonly VerifiedEvent[]> {
  if (after === null) return await retainedEvents(connection, types)
  try {
    const page = await connection.call('events.list', (stripe) =>
      stripe.events.list({ ending_before: after, limit: PAGE, types }),
    )
    return page.data.toReversed().map(readEvent)
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
async function retainedEvents(connection: Connection, types: string[]): Promise<readonly VerifiedEvent[]> {
  const pages = pagesOf((paging) =>
    connection.call('events.list', (stripe) => stripe.events.list({ types, ...paging })),
  )
  const events: VerifiedEvent[] = []
  let read = 0
  for await (const page of pages) {
    events.push(...page.map(readEvent))
    read += 1
    if (read === MAX_PAGES) break
  }
  return events.toReversed()
}

/** The idempotency keys of our requests for an invoice: `<step>:<our id>:g<generation>`, of a payment its attempt before that. */
const keyForInvoice = /^[a-z]+:([0-9A-Z]{26}):(?:a\d+:)?g\d/

/**
 * Ids and type of an event of any API version; members that another version lacks or shapes differently are null. Its
 * data is not kept: the object is fetched.
 */
export function readEvent(event: Stripe.Event): VerifiedEvent {
  const object = asRecord(event.data?.object)
  const isInvoice = object['object'] === 'invoice'
  const invoiceId = text(asRecord(object['metadata'])[metadataKeys.invoice])
  const key = text(asRecord(event.request)['idempotency_key'])
  const askedFor = keyForInvoice.exec(key ?? '')?.[1]
  return {
    id: event.id,
    type: event.type,
    objectId: idOf(object) ?? '',
    invoiceId,
    stripeInvoiceId: isInvoice ? idOf(object) : idOf(object['invoice']),
    stripeCustomerId: object['object'] === 'customer' ? idOf(object) : customerOf(event),
    createdMs: event.created * 1000,
    livemode: event.livemode,
    apiVersion: text(event.api_version),
    isOwn: askedFor !== undefined && (invoiceId === null || invoiceId === askedFor),
  }
}

/** Whose it is; whose it was, where that is what changed: a payment method that was detached is nobody's. */
function customerOf({ data }: Stripe.Event): string | null {
  return idOf(asRecord(data?.object)['customer']) ?? idOf(asRecord(data?.previous_attributes)['customer'])
}

/** The id of an object that may be expanded. */
export function idOf(reference: unknown): string | null {
  return text(reference) ?? text(asRecord(reference)['id'])
}

/** An id or a version: printable, as Stripe's are. */
function text(value: unknown): string | null {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : null
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
