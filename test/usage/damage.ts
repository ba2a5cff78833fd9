import * as fc from 'fast-check'
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '../../src/db/connection.ts'

const kinds = [
  'delete an event',
  'store an event under an old number',
  'change an event',
  'move an event',
  'delete a rollup',
  'change a rollup',
  'double a rollup',
  'stamp a rollup',
] as const

interface Damage {
  readonly kind: (typeof kinds)[number]
  /** Which event or rollup: the one that is so far down the list, or the first. */
  readonly pick: number
}

/** What nobody should do by hand. */
export const damages = fc.array(fc.record({ kind: fc.constantFrom(...kinds), pick: fc.nat({ max: 30 }) }), {
  maxLength: 4,
})

/** Does it to what some subjects have; whether any rollup is not what its events add up to by now. */
export async function damageRollups(
  db: Db,
  subjects: readonly string[],
  list: readonly Damage[],
): Promise<boolean> {
  const before = await contentOf(db, subjects)
  for (const damage of list) await statementOf(damage, subjects).execute(db)
  const after = await contentOf(db, subjects)
  return after !== before
}

async function contentOf(db: Db, subjects: readonly string[]): Promise<string> {
  const of = sql`subject = ANY(${[...subjects]}::text[])`
  const { rows } = await sql<{ events: string; rollups: string }>`
    SELECT (SELECT jsonb_agg(e ORDER BY seq)::text FROM events e WHERE ${of}) AS events,
      (SELECT jsonb_agg(r ORDER BY series_id, minutes, subject, bucket, group_digest)::text FROM usage_rollups r WHERE ${of}) AS rollups`.execute(
    db,
  )
  return JSON.stringify(rows)
}

function statementOf({ kind, pick }: Damage, subjects: readonly string[]): RawBuilder<unknown> {
  const of = sql`subject = ANY(${[...subjects]}::text[])`
  const chosen = (table: string, order: string) => {
    const all = sql`FROM ${sql.table(table)} WHERE ${of}`
    return sql`(SELECT ctid ${all} ORDER BY ${sql.raw(order)} OFFSET ${pick} % greatest((SELECT count(*) ${all}), 1) LIMIT 1)`
  }
  const event = chosen('events', 'seq')
  const rollup = chosen('usage_rollups', 'series_id, minutes, subject, bucket, group_digest')
  switch (kind) {
    case 'delete an event':
      return sql`DELETE FROM events WHERE ctid = ${event}`
    case 'store an event under an old number':
      return sql`INSERT INTO events (seq, source, id, type, subject, time, data, ingested_at) OVERRIDING SYSTEM VALUE
        SELECT n, 'old', 'number', 'prompt', ${subjects[0]}, '2025-02-01T00:00:00Z', '{"tokens": 5}', now()
        FROM generate_series(1, (SELECT min(rolled_seq) FROM usage_series)) n
        WHERE NOT EXISTS (SELECT FROM events WHERE seq = n) LIMIT 1`
    case 'change an event':
      return sql`UPDATE events SET data = '{"tokens": 77}' WHERE ctid = ${event}`
    case 'move an event':
      return sql`UPDATE events SET time = time + interval '16 minutes' WHERE ctid = ${event}`
    case 'delete a rollup':
      return sql`DELETE FROM usage_rollups WHERE ctid = ${rollup}`
    case 'change a rollup':
      return sql`UPDATE usage_rollups SET count = count + 1 WHERE ctid = ${rollup}`
    case 'double a rollup':
      return sql`INSERT INTO usage_rollups (series_id, minutes, subject, bucket, group_digest, groups, count, sum, low, high, latest, latest_time, latest_seq)
        SELECT series_id, minutes, subject, bucket + interval '100 days', group_digest, groups, count, sum, low, high, latest, latest_time, latest_seq
        FROM usage_rollups WHERE ctid = ${rollup} ON CONFLICT DO NOTHING`
    case 'stamp a rollup':
      return sql`UPDATE usage_rollups SET txid = '3' WHERE ctid = ${rollup}`
  }
}
