import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared, preparedForms } from '../prepared.ts'
import type { StripeEvents } from '../types.gen.ts'

export type StripeEventRow = Selectable<StripeEvents>

/** What is kept of an event: ids and types. */
export interface NewStripeEvent {
  readonly id: string
  readonly type: string
  readonly objectId: string
  readonly invoiceId: string | null
  readonly stripeInvoiceId: string | null
  readonly stripeCustomerId: string | null
  readonly createdMs: number
}

/** Stores an event under its unique id; false when it was there: deliveries repeat (rule 30). */
export async function insertStripeEvent(db: Db, appId: string, event: NewStripeEvent): Promise<boolean> {
  return (await insertStripeEvents(db, [{ appId, event }])).has(event.id)
}

/** The same for several in one statement; the ids of those that were not there. */
export async function insertStripeEvents(
  db: Db,
  events: readonly { readonly appId: string; readonly event: NewStripeEvent }[],
): Promise<ReadonlySet<string>> {
  const stored = await inserting(db, { events: events.map(({ appId, event }) => rowOf(appId, event)) })
  return new Set(stored.map(({ eventId }) => eventId))
}

const rowOf = (appId: string, event: NewStripeEvent) => ({
  eventId: event.id,
  appId,
  type: event.type,
  // What can be acted on: the invoice, else the customer whose payment methods changed.
  objectId: event.stripeInvoiceId ?? event.stripeCustomerId ?? event.objectId,
  sourceId: event.objectId,
  invoiceId: event.invoiceId,
  createdAt: new Date(event.createdMs),
})

const inserting = preparedForms((db, { events }: { readonly events: readonly ReturnType<typeof rowOf>[] }) =>
  db
    .insertInto('stripeEvents')
    // Not the transaction's instant: those of a polled page stay in their order.
    .values(events.map((event) => ({ ...event, receivedAt: sql<Date>`clock_timestamp()` })))
    .onConflict((oc) => oc.column('eventId').doNothing())
    .returning('eventId')
    .compile(),
)

/** Whether an event waits to be delivered now. */
export async function hasDueStripeEvents(db: Db): Promise<boolean> {
  return (await due(db)).length > 0
}

const due = prepared((db) =>
  db
    .selectFrom('stripeEvents')
    .select('eventId')
    .where('processedAt', 'is', null)
    .where('nextAttemptAt', '<=', sql<Date>`now()`)
    .limit(1)
    .compile(),
)

/** Takes up to `limit` events that wait to be delivered; other relays skip them. */
export async function takeStripeEvents(db: Db, limit: number): Promise<readonly StripeEventRow[]> {
  return await taking(db, limit)
}

const eventColumns = [
  'appId',
  'attempts',
  'createdAt',
  'eventId',
  'invoiceId',
  'lastError',
  'nextAttemptAt',
  'objectId',
  'outcome',
  'processedAt',
  'receivedAt',
  'sourceId',
  'type',
] as const

const taking = prepared((db, limit: number) =>
  db
    .selectFrom('stripeEvents')
    .select(eventColumns)
    .where('processedAt', 'is', null)
    .where('nextAttemptAt', '<=', sql<Date>`now()`)
    .orderBy('receivedAt')
    .orderBy('createdAt')
    .orderBy('eventId')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .compile(),
)

/** They were acted on, each with a word for people. */
export async function completeStripeEvents(
  db: Db,
  events: readonly { readonly eventId: string; readonly outcome: string }[],
): Promise<void> {
  if (events.length === 0) return
  await completing(
    db,
    events.map(({ eventId }) => eventId),
    events.map(({ outcome }) => outcome),
  )
}

const completing = prepared((db, eventIds: readonly string[], outcomes: readonly string[]) =>
  db
    .updateTable('stripeEvents')
    .from(
      sql<{ eventId: string; outcome: string }>`unnest(${eventIds}::text[], ${outcomes}::text[])`.as<'done'>(
        sql`done (event_id, outcome)`,
      ),
    )
    .set({ processedAt: sql`now()`, outcome: (eb) => eb.ref('done.outcome'), lastError: null })
    .whereRef('stripeEvents.eventId', '=', 'done.eventId')
    .compile(),
)

/** It is not tried again; the reason stays with it. */
export async function giveUpStripeEvent(db: Db, eventId: string, error: string): Promise<void> {
  await db
    .updateTable('stripeEvents')
    .set((eb) => ({
      processedAt: sql`now()`,
      outcome: `${GIVEN_UP}${error}`,
      lastError: error,
      attempts: eb('attempts', '+', 1),
    }))
    .where('eventId', '=', eventId)
    .execute()
}

const GIVEN_UP = 'given_up: '

/** Events that were given up since then, newest first: what nobody acted on. */
export async function givenUpEvents(db: Db, since: Date): Promise<readonly StripeEventRow[]> {
  return await db
    .selectFrom('stripeEvents')
    .selectAll()
    .where('outcome', 'like', `${GIVEN_UP}%`)
    .where('processedAt', '>=', since)
    // It came some days before, and the index is by that.
    .where('receivedAt', '>=', new Date(since.getTime() - LONGEST_IN_INBOX_MS))
    .orderBy('processedAt', 'desc')
    .execute()
}

const LONGEST_IN_INBOX_MS = 14 * 24 * 60 * 60 * 1000

/** Leaves events for later, each with its reason. */
export async function deferStripeEvents(
  db: Db,
  events: readonly { readonly eventId: string; readonly delayMs: number; readonly error: string }[],
): Promise<void> {
  if (events.length === 0) return
  await db
    .updateTable('stripeEvents')
    .from(
      sql<{ eventId: string; delayMs: number; error: string }>`unnest(
        ${events.map(({ eventId }) => eventId)}::text[], ${events.map(({ delayMs }) => delayMs)}::float8[],
        ${events.map(({ error }) => error)}::text[])`.as<'later'>(sql`later (event_id, delay_ms, error)`),
    )
    .set((eb) => ({
      attempts: eb('stripeEvents.attempts', '+', 1),
      lastError: eb.ref('later.error'),
      nextAttemptAt: sql<Date>`now() + later.delay_ms * interval '1 millisecond'`,
    }))
    .whereRef('stripeEvents.eventId', '=', 'later.eventId')
    .execute()
}
