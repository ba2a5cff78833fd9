import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '../connection.ts'

/** A stored event, for people. */
export interface ListedEvent {
  readonly seq: string
  readonly id: string
  readonly source: string
  readonly specversion: string
  readonly type: string
  readonly subject: string
  /** RFC 3339 with microseconds. */
  readonly time: string
  readonly datacontenttype: string | null
  readonly dataschema: string | null
  /** JSON text, with all digits. */
  readonly data: string | null
  readonly validationError: string | null
  readonly customerId: string | null
  readonly ingestedAt: Date
  readonly storedAt: Date
}

/** How a text column is matched. */
export interface TextMatch {
  readonly column: 'id' | 'source' | 'type' | 'subject' | 'customerId'
  readonly operator: 'in' | 'not_in' | 'contains'
  readonly values: readonly string[]
}

/** One end of an interval of instants. */
export interface TimeBound {
  readonly column: 'time' | 'ingestedAt' | 'storedAt'
  readonly operator: '>=' | '>' | '<=' | '<'
  readonly at: Date
}

/** A place in the list: it goes on below it. */
export interface EventCursor {
  readonly time: string
  readonly seq: string
}

export interface EventListOptions {
  readonly texts: readonly TextMatch[]
  readonly times: readonly TimeBound[]
  readonly after: EventCursor | null
  readonly limit: number
}

const textColumns = {
  id: sql`events.id`,
  source: sql`events.source`,
  type: sql`events.type`,
  subject: sql`events.subject`,
  customerId: sql`customer_subjects.customer_id`,
}
const timeColumns = {
  time: sql`events.time`,
  ingestedAt: sql`events.ingested_at`,
  storedAt: sql`events.stored_at`,
}

/** Events, newest first; those of one instant in the order in which they were stored, newest first. */
export async function listEvents(db: Db, options: EventListOptions): Promise<readonly ListedEvent[]> {
  const texts = [...options.texts, ...(await idsOfFew(db, options.texts))]
  const where = [sql`true`, ...texts.map(textCondition), ...options.times.map(timeCondition)]
  if (options.after !== null) {
    where.push(
      sql`(events.time, events.seq) < (${options.after.time}::timestamptz, ${options.after.seq}::bigint)`,
    )
  }
  const { rows } = await sql<ListedEvent>`
    SELECT events.seq::text AS seq, events.id, source, specversion, type, subject, datacontenttype, dataschema,
      to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time, data::text AS data,
      validation_error, customer_subjects.customer_id, ingested_at, stored_at
    FROM events
    LEFT JOIN customer_subjects ON customer_subjects.subject_key = events.subject AND customer_subjects.deleted_at IS NULL
    WHERE ${sql.join(where, sql` AND `)}
    ORDER BY events.time DESC, events.seq DESC LIMIT ${options.limit}`.execute(db)
  return rows
}

const FEW = 1000

/**
 * Events have an index of ids and none of sources: those of a source that sent few, however long ago, are found by their ids.
 * Those of one that sent many are among the newest.
 */
async function idsOfFew(db: Db, texts: readonly TextMatch[]): Promise<readonly TextMatch[]> {
  const wanted = (name: TextMatch['column']): TextMatch | undefined =>
    texts.find(({ column, operator }) => column === name && operator === 'in')
  const sources = wanted('source')
  if (sources === undefined || wanted('id') !== undefined) return []
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM event_identities WHERE source = ANY(${[...sources.values]}::text[]) LIMIT ${FEW + 1}`.execute(
    db,
  )
  return rows.length > FEW ? [] : [{ column: 'id', operator: 'in', values: rows.map(({ id }) => id) }]
}

function textCondition({ column, operator, values }: TextMatch): RawBuilder<unknown> {
  const target = textColumns[column]
  switch (operator) {
    case 'in':
      return sql`${target} = ANY(${[...values]}::text[])`
    case 'not_in':
      return sql`(${target} IS NULL OR ${target} <> ALL(${[...values]}::text[]))`
    case 'contains':
      return sql`strpos(lower(${target}), lower(${values[0] ?? ''})) > 0`
  }
}

function timeCondition({ column, operator, at }: TimeBound): RawBuilder<unknown> {
  return sql`${timeColumns[column]} ${sql.raw(operator)} ${at}`
}
