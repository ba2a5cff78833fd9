import { fastify } from 'fastify'
import { Pool } from 'pg'

// The floor of reads: Fastify and bare SQL, prepared, rows sent as they come. No keys, no schemas, nothing shaped.
const pool = new Pool({ connectionString: process.env['BENCH_DATABASE_URL'] ?? '', max: 10 })
pool.on('error', () => {})
const app = fastify()

const read = async (name: string, text: string, values: readonly unknown[]): Promise<readonly unknown[]> =>
  (await pool.query<Record<string, unknown>>({ name, text, values: [...values] })).rows

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
      `SELECT *, (SELECT sum(total_minor) FROM invoice_lines l WHERE l.invoice_id = i.id) AS lines_minor FROM invoices i
       WHERE ${where} ORDER BY created_at ${order}, id ${order} LIMIT 100 OFFSET $${values.length + 1}`,
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
      `SELECT c.*, (SELECT array_agg(subject_key) FROM customer_subjects s WHERE s.customer_id = c.id) AS subjects
       FROM customers c WHERE deleted_at IS NULL ORDER BY id LIMIT 100 OFFSET $1`,
      [Number(query.offset ?? 0)],
    ),
    read('customers_count', 'SELECT count(*) FROM customers WHERE deleted_at IS NULL', []),
  ])
  return { rows, count }
})

app.get<{ Params: { id: string } }>('/subscriptions/:id', async ({ params }) => {
  return (await read('subscription', 'SELECT * FROM subscriptions WHERE id = $1', [params.id]))[0]
})

/** The least that a preview needs: the terms, and the usage of the open month. */
app.get<{ Params: { id: string } }>('/subscriptions/:id/usage', async ({ params }) => {
  return await read(
    'usage',
    `SELECT s.*, (SELECT sum((e.data ->> 'tokens')::numeric) FROM events e
       WHERE e.type = 'inference' AND e.subject IN (SELECT subject_key FROM customer_subjects c WHERE c.customer_id = s.customer_id)
         AND e.time >= s.closed_through AND e.time < s.next_closing_at) AS usage
     FROM subscriptions s WHERE id = $1`,
    [params.id],
  )
})

const address = await app.listen({ host: '127.0.0.1', port: 0 })
process.on('disconnect', () => process.exit())
process.send?.({ port: Number(new URL(address).port) })
