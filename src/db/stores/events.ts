import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { metersOfTypes } from './meters.ts'
import { usageProblem } from '../../domain/meters.ts'
import type { CloudEvent } from '../../domain/cloud-event.ts'

/** An event to store, with its data as JSON text, which keeps all digits of its numbers. */
export interface NewEvent extends CloudEvent {
  readonly dataText: string | null
}

export interface StoredCounts {
  /** New events, those with a validation error included. */
  readonly stored: number
  /** Events whose (source, id) was there before, or earlier in the same batch (billing rule 7). */
  readonly duplicate: number
  /** New events that no meter can use. */
  readonly invalid: number
}

/**
 * Stores the events that are new. Identity is (source, id) alone (billing rule 7): identities and events are one
 * statement, so that neither exists without the other, and a concurrent sender of the same event waits for us.
 */
export async function storeEvents(
  db: Db,
  events: readonly NewEvent[],
  ingestedAt: Date,
): Promise<StoredCounts> {
  if (events.length === 0) return { stored: 0, duplicate: 0, invalid: 0 }
  const meters = await metersOfTypes(db, [...new Set(events.map(({ type }) => type))])
  const distinct = firstOfEachIdentity(events)
  const errors = distinct.map((event) => usageProblem(meters, event))
  const column = (of: (event: NewEvent, index: number) => string | number | null) => sql`${distinct.map(of)}`
  const { rows } = await sql<{ stored: string; invalid: string }>`
    WITH given AS (
      SELECT * FROM unnest(
        ${column(({ source }) => source)}::text[], ${column(({ id }) => id)}::text[],
        ${column(({ type }) => type)}::text[], ${column(({ subject }) => subject)}::text[],
        ${column(({ time }) => time)}::timestamptz[], ${column(({ datacontenttype }) => datacontenttype)}::text[],
        ${column(({ dataschema }) => dataschema)}::text[], ${column(({ dataText }) => dataText)}::text[],
        ${column((_event, index) => errors[index] ?? null)}::text[]
      ) WITH ORDINALITY
        AS t (source, id, type, subject, time, datacontenttype, dataschema, data, validation_error, position)
    ), fresh AS (
      -- In one order for everyone: two batches that share events wait for each other, and never in a circle.
      INSERT INTO event_identities (source, id)
      SELECT source, id FROM given ORDER BY source COLLATE "C", id COLLATE "C"
      ON CONFLICT DO NOTHING RETURNING source, id
    ), written AS (
      -- In the order of the batch, which settles LATEST for events of one instant.
      INSERT INTO events (source, id, type, subject, time, datacontenttype, dataschema, data, validation_error, ingested_at)
      SELECT source, id, type, subject, time, datacontenttype, dataschema, data::jsonb, validation_error, ${ingestedAt}::timestamptz
      FROM given JOIN fresh USING (source, id) ORDER BY position
      RETURNING validation_error
    )
    SELECT count(*)::text AS stored, count(validation_error)::text AS invalid FROM written`.execute(db)
  const stored = Number(rows[0]?.stored)
  return { stored, duplicate: events.length - stored, invalid: Number(rows[0]?.invalid) }
}

function firstOfEachIdentity(events: readonly NewEvent[]): readonly NewEvent[] {
  const seen = new Map<string, NewEvent>()
  for (const event of events) {
    // No attribute can hold a NUL character.
    const identity = `${event.source}\0${event.id}`
    if (!seen.has(identity)) seen.set(identity, event)
  }
  return [...seen.values()]
}
