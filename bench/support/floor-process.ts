import { fastify } from 'fastify'
import { Pool } from 'pg'

// The floor of reads: Fastify and bare SQL, prepared. What an answer of ours needs is read, in as few statements as it takes, and
// the rows are sent as they come: no keys, no schemas, nothing computed or shaped.
const pool = new Pool({ connectionString: process.env['BENCH_DATABASE_URL'] ?? '', max: 10 })
pool.on('error', () => {})
const app = fastify()

const read = async (name: string, text: string, values: readonly unknown[]): Promise<readonly unknown[]> =>
  (await pool.query<Record<string, unknown>>({ name, text, values: [...values] })).rows

const sumsOfLines = `
  SELECT count(*) AS lines, sum((SELECT sum((detail ->> 'amountMinor')::bigint) FROM jsonb_array_elements(details) detail
    WHERE detail ->> 'category' = 'commitment')) AS charges_minor
  FROM invoice_lines WHERE invoice_id = i.id`
const adjustments = `
  SELECT json_agg(adjustment ORDER BY at, id) AS adjustments FROM invoice_adjustments adjustment WHERE invoice_id = i.id`
const subjects = `SELECT array_agg(subject_key ORDER BY subject_key) FROM customer_subjects
  WHERE customer_id = c.id AND customer_subjects.deleted_at IS NULL`
const features = `
  SELECT json_agg(feature) FROM (
    SELECT f.*, m.key AS meter_key, m.event_type, m.aggregation, m.value_property, m.group_by
    FROM features f LEFT JOIN meters m ON m.id = f.meter_id
    WHERE f.archived_at IS NULL AND f.key IN (
      SELECT key #>> '{}' FROM jsonb_path_query(s.phases, '$[*].rateCards[*].featureKey') key)) feature`

interface ListQuery {
  readonly offset?: string
  readonly customer?: string
  readonly status?: string
  readonly order?: 'desc'
}

app.get<{ Querystring: ListQuery }>('/invoices', async ({ query }) => {
  const [column, value] =
    query.customer === undefined ? ['status', query.status] : ['customer_id', query.customer]
  const where = `deleted_at IS NULL ${value === undefined ? '' : `AND ${column} = $1`}`
  const values = value === undefined ? [] : [value]
  const filter = value === undefined ? 'all' : column
  const order = query.order ?? 'asc'
  const [rows, count] = await Promise.all([
    read(
      `invoices_${filter}_${order}`,
      `SELECT i.*, lines.*, adjustments.* FROM (
         SELECT * FROM invoices WHERE ${where} ORDER BY created_at ${order}, id ${order} LIMIT 100 OFFSET $${values.length + 1}
       ) i, LATERAL (${sumsOfLines}) lines, LATERAL (${adjustments}) adjustments
       ORDER BY i.created_at ${order}, i.id ${order}`,
      [...values, Number(query.offset ?? 0)],
    ),
    read(`count_${filter}`, `SELECT count(*) FROM invoices WHERE ${where}`, values),
  ])
  return { rows, count }
})

app.get<{ Querystring: ListQuery }>('/customers', async ({ query }) => {
  const [rows, count] = await Promise.all([
    read(
      'customers',
      `SELECT c.*, (${subjects}) AS subjects, (
         SELECT id FROM subscriptions s WHERE s.customer_id = c.id AND s.deleted_at IS NULL
           AND s.lifecycle IN ('active', 'canceled', 'parked') ORDER BY s.active_from DESC LIMIT 1
       ) AS current_subscription
       FROM customers c WHERE deleted_at IS NULL ORDER BY id LIMIT 100 OFFSET $1`,
      [Number(query.offset ?? 0)],
    ),
    read('customers_count', 'SELECT count(*) FROM customers WHERE deleted_at IS NULL', []),
  ])
  return { rows, count }
})

/** With the clock that tells its current period, and the features of its items. */
app.get<{ Params: { id: string } }>('/subscriptions/:id', async ({ params }) => {
  const rows = await read(
    'subscription',
    `SELECT s.*, t.frozen_time, (${features}) AS features
     FROM subscriptions s JOIN customers c ON c.id = s.customer_id LEFT JOIN test_clocks t ON t.id = c.test_clock_id
     WHERE s.id = $1 AND s.deleted_at IS NULL`,
    [params.id],
  )
  return rows[0]
})

/** A preview: the terms, how the customer is billed, what is carried over or may come late, and the usage of the open month. */
app.get<{ Params: { id: string } }>('/subscriptions/:id/upcoming', async ({ params }) => {
  const rows = await read(
    'upcoming',
    `SELECT s.*, t.frozen_time, to_json(c) AS customer, to_json(o) AS override, to_json(p) AS profile, to_json(a) AS app,
       to_json(l) AS link, (${features}) AS features, (${subjects}) AS subjects, pg_current_snapshot() AS cutoff,
       (SELECT sum(amount_minor) FROM ledger_entries e WHERE e.subscription_id = s.id AND e.currency = s.currency
          AND e.kind IN ('carried_out', 'carried_in', 'remainder')) AS carried,
       (SELECT json_agg(r) FROM rated_usage r WHERE r.subscription_id = s.id
          AND r.service_to >= s.next_closing_at - (p.late_usage ->> 'window')::interval
          AND r.service_to <= s.next_closing_at) AS billed,
       (SELECT sum((e.data ->> 'tokens')::numeric) FROM events e WHERE e.type = 'inference' AND e.subject IN (
          SELECT subject_key FROM customer_subjects WHERE customer_id = c.id AND customer_subjects.deleted_at IS NULL)
          AND e.time >= s.closed_through AND e.time < s.next_closing_at) AS usage
     FROM subscriptions s JOIN customers c ON c.id = s.customer_id LEFT JOIN test_clocks t ON t.id = c.test_clock_id
       LEFT JOIN billing_overrides o ON o.customer_id = c.id
       LEFT JOIN billing_profiles p ON p.deleted_at IS NULL AND p.id = coalesce(o.billing_profile_id,
         (SELECT id FROM billing_profiles WHERE is_default AND deleted_at IS NULL))
       LEFT JOIN apps a ON a.id = p.app_id LEFT JOIN customer_apps l ON l.customer_id = c.id AND l.app_id = a.id
     WHERE s.id = $1 AND s.deleted_at IS NULL`,
    [params.id],
  )
  return rows[0]
})

const address = await app.listen({ host: '127.0.0.1', port: 0 })
process.on('disconnect', () => process.exit())
process.send?.({ port: Number(new URL(address).port) })
