import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import { metersOfTypes } from './meters.ts'
import type { MeterRow } from './meters.ts'
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
  const [counts] = await storeEventGroups(db, [events], ingestedAt)
  return counts ?? nothing
}

/**
 * Stores events of several senders at once, and counts for each. Of an event that two of them sent, the first is stored
 * and the second's is a duplicate. They are stored together or not at all.
 */
export async function storeEventGroups(
  db: Db,
  groups: readonly (readonly NewEvent[])[],
  ingestedAt: Date,
): Promise<readonly StoredCounts[]> {
  const given = firstOfEachIdentity(groups)
  if (given.length === 0) return groups.map(() => nothing)
  const meters = metersByType(await metersOfTypes(db, [...new Set(given.map(({ event }) => event.type))]))
  const column = <T>(of: (one: Given) => T): readonly T[] => given.map(of)
  const rows = await storing(
    db,
    column(({ event }) => event.source),
    column(({ event }) => event.id),
    column(({ event }) => event.type),
    column(({ event }) => event.subject),
    column(({ event }) => event.time),
    column(({ event }) => event.datacontenttype),
    column(({ event }) => event.dataschema),
    column(({ event }) => event.dataText),
    column(({ event }) => usageProblem(meters.get(event.type) ?? [], event)),
    column(({ sender }) => sender),
    ingestedAt,
  )
  const counts = new Map(rows.map((row) => [row.sender, row]))
  return groups.map((group, index) => {
    const { stored, invalid } = counts.get(index) ?? nothing
    return { stored, duplicate: group.length - stored, invalid }
  })
}

const nothing: StoredCounts = { stored: 0, duplicate: 0, invalid: 0 }

interface Given {
  readonly event: NewEvent
  /** The group it came in. */
  readonly sender: number
}

interface CountedRow {
  readonly sender: number
  readonly stored: number
  readonly invalid: number
}

type MetersByType = ReadonlyMap<string, readonly MeterRow[]>

const givenColumns = sql.raw(
  'source, id, type, subject, time, datacontenttype, dataschema, data, validation_error, sender, position',
)

/** A list of each column, as long as the batch. */
const storing = prepared(
  (
    db,
    source: readonly string[],
    id: readonly string[],
    type: readonly string[],
    subject: readonly string[],
    time: readonly string[],
    datacontenttype: readonly (string | null)[],
    dataschema: readonly (string | null)[],
    data: readonly (string | null)[],
    problem: readonly (string | null)[],
    sender: readonly number[],
    ingestedAt: Date,
  ) =>
    sql<CountedRow>`
    WITH given AS (
      SELECT ${givenColumns} FROM unnest(
        ${source}::text[], ${id}::text[], ${type}::text[], ${subject}::text[], ${time}::timestamptz[],
        ${datacontenttype}::text[], ${dataschema}::text[], ${data}::text[], ${problem}::text[], ${sender}::int[]
      ) WITH ORDINALITY AS t (${givenColumns})
    ), fresh AS (
      -- In one order for everyone: two batches that share events wait for each other, and never in a circle.
      INSERT INTO event_identities (source, id)
      SELECT source, id FROM given ORDER BY source COLLATE "C", id COLLATE "C"
      ON CONFLICT DO NOTHING RETURNING source, id
    ), new AS (
      SELECT ${givenColumns} FROM given JOIN fresh USING (source, id)
    ), written AS (
      -- In the order of the batch, which settles LATEST for events of one instant.
      INSERT INTO events (source, id, type, subject, time, datacontenttype, dataschema, data, validation_error, ingested_at)
      SELECT source, id, type, subject, time, datacontenttype, dataschema, data::jsonb, validation_error, ${ingestedAt}::timestamptz
      FROM new ORDER BY position
    )
    SELECT sender, count(*)::int AS stored, count(validation_error)::int AS invalid FROM new GROUP BY sender`.compile(
      db,
    ),
)

function metersByType(meters: readonly MeterRow[]): MetersByType {
  const byType = new Map<string, MeterRow[]>()
  for (const meter of meters) byType.set(meter.eventType, [...(byType.get(meter.eventType) ?? []), meter])
  return byType
}

function firstOfEachIdentity(groups: readonly (readonly NewEvent[])[]): readonly Given[] {
  const seen = new Map<string, Given>()
  for (const [sender, events] of groups.entries()) {
    for (const event of events) {
      // No attribute can hold a NUL character.
      const identity = `${event.source}\0${event.id}`
      if (!seen.has(identity)) seen.set(identity, { event, sender })
    }
  }
  return [...seen.values()]
}
