import type { Bench } from '../support/environment.ts'
import type { BenchEvent } from '../support/events.ts'

const STEP = 250_000
/** At a time: one is a single process of PostgreSQL's. */
const LOADERS = 3

/**
 * Adds events of the year before under ids that come in no order, until there are as many. They are of another type than
 * those that are measured, so that no meter has to catch up with them; the tables and their indexes are the same.
 */
export async function fillTo({ pool, log }: Bench, count: number): Promise<void> {
  const { rows } = await pool.query<{ stored: number }>('SELECT count(*)::int AS stored FROM events')
  const missing = count - (rows[0]?.stored ?? 0)
  const begun = performance.now()
  let left = missing
  const loaders = Array.from({ length: LOADERS }, async () => {
    while (left > 0) {
      const step = Math.min(STEP, left)
      left -= step
      await pool.query(stored, [step])
    }
  })
  await Promise.all(loaders)
  await pool.query('VACUUM ANALYZE events, event_identities')
  // What is left to write would be written while others are measured, and the rounds begin alike.
  await pool.query('CHECKPOINT')
  const seconds = (performance.now() - begun) / 1000
  if (missing > 0) log(`stored ${missing.toLocaleString('en-US')} events in ${seconds.toFixed(0)} s`)
}

/** In the order of the identities' index, which is the dearest to fill at random. */
const stored = `
  WITH ids AS (SELECT gen_random_uuid()::text AS id, random() AS r FROM generate_series(1, $1::int)),
  identities AS (INSERT INTO event_identities (source, id) SELECT 'bench', id FROM ids ORDER BY id COLLATE "C")
  INSERT INTO events (source, id, type, subject, time, data, ingested_at)
  SELECT 'bench', id, 'earlier', 'customer-' || (r * 100)::int, now() - random() * interval '365 days',
    jsonb_build_object('tokens', 1 + (r * 4096)::int, 'model', (ARRAY['small', 'medium', 'large', 'embed'])[1 + floor(r * 4)::int]), now()
  FROM ids`

/** So many of those that are stored, from all over the tables. */
export async function sampleStored({ pool }: Bench, count: number): Promise<readonly BenchEvent[]> {
  const { rows } = await pool.query<Omit<BenchEvent, 'specversion' | 'time'> & { time: Date }>(
    `SELECT id, source, type, subject, time, data FROM events
     WHERE type = 'earlier' ORDER BY hashtext(id), id LIMIT $1`,
    [count],
  )
  return rows.map(({ time, ...event }) => ({ ...event, specversion: '1.0', time: time.toISOString() }))
}
