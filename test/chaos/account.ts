import { sql } from 'kysely'
import { metadataKeys } from '../../src/stripe/metadata.ts'
import { waitFor } from '../support/scenario.ts'
import { stripeGet } from '../support/stripe-client.ts'
import type { Billed, ExpectedInvoice } from './cycles.ts'
import type { Lane } from './lane.ts'

interface StripeInvoice {
  readonly id: string
  readonly status: string
  readonly total: number
  readonly amount_paid: number
  readonly metadata: Readonly<Record<string, string>>
}

interface StripeCharge {
  readonly id: string
  readonly status: string
  readonly amount: number
}

interface Page<T> {
  readonly data: readonly T[]
  readonly has_more: boolean
}

/** Everything of a customer at Stripe, over all pages. */
async function listAll<T extends { readonly id: string }>(
  sandboxUrl: string,
  path: string,
): Promise<readonly T[]> {
  const found: T[] = []
  for (;;) {
    const last = found.at(-1)
    const after = last === undefined ? '' : `&starting_after=${last.id}`
    const page = await stripeGet<Page<T>>(sandboxUrl, `${path}&limit=2${after}`)
    found.push(...page.data)
    if (!page.has_more) return found
  }
}

/** What our database and Stripe say about a customer's invoices, side by side. */
export interface Account {
  readonly ours: readonly Pick<ExpectedInvoice, 'status' | 'totalMinor'>[]
  /** By our ids, in the order of ours. */
  readonly stripes: readonly { readonly status: string; readonly total: string }[]
  readonly stripeInvoices: number
  readonly succeededCharges: readonly number[]
  readonly failedCharges: number
  /** More than one invoice of a subscription and period. */
  readonly twice: number
  readonly attempts: readonly number[]
  readonly events: { readonly stored: number; readonly tokens: string }
}

/** Counts once every message about the customer's invoices was delivered: the rows are there a moment before. */
export async function accountOf(lane: Lane, billed: Billed): Promise<Account> {
  const { database, sandboxUrl } = lane
  await waitFor(
    async () => await undelivered(lane, billed),
    (ids) => ids.length === 0,
  )
  const { customerId, stripeCustomerId, key } = billed
  const rows = await database.db
    .selectFrom('invoices')
    .selectAll()
    .where('customerId', '=', customerId)
    .orderBy('closingAt')
    .execute()
  const stripes = await listAll<StripeInvoice>(sandboxUrl, `invoices?customer=${stripeCustomerId}`)
  const charges = await listAll<StripeCharge>(sandboxUrl, `charges?customer=${stripeCustomerId}`)
  const periods = new Set(rows.map((row) => `${row.subscriptionId} ${row.closingAt.getTime()}`))
  return {
    ours: rows.map(({ status, totalMinor }) => ({
      status: status as ExpectedInvoice['status'],
      totalMinor,
    })),
    stripes: rows.flatMap(({ id }) =>
      stripes
        .filter(({ metadata }) => metadata[metadataKeys.invoice] === id)
        .map(({ status, total }) => ({ status, total: String(total) })),
    ),
    stripeInvoices: stripes.length,
    succeededCharges: charges
      .filter(({ status }) => status === 'succeeded')
      .map(({ amount }) => amount)
      .toSorted((a, b) => a - b),
    failedCharges: charges.filter(({ status }) => status === 'failed').length,
    twice: rows.length - periods.size,
    attempts: rows.map(({ attempts }) => attempts),
    events: await usageOf(lane, key),
  }
}

const stripeStatus = { paid: 'paid', uncollectible: 'uncollectible', voided: 'void' } as const

/** What the account has to be when every invoice was made once and every paid one was charged once. */
export function expectedAccount(invoices: readonly ExpectedInvoice[], events: Account['events']): Account {
  const there = invoices.filter(({ isTakenBack }) => isTakenBack !== true)
  return {
    ours: invoices.map(({ status, totalMinor }) => ({ status, totalMinor })),
    stripes: there.map(({ status, totalMinor }) => ({ status: stripeStatus[status], total: totalMinor })),
    stripeInvoices: there.length,
    succeededCharges: invoices
      .filter(({ status }) => status === 'paid')
      .map(({ totalMinor }) => Number(totalMinor))
      .toSorted((a, b) => a - b),
    failedCharges: invoices.reduce((sum, invoice) => sum + invoice.failedCharges, 0),
    twice: 0,
    attempts: invoices.map(({ failedCharges }) => failedCharges),
    events,
  }
}

/** Outbox rows of the customer's invoices that nobody has delivered. */
async function undelivered({ database: { db } }: Lane, { customerId }: Billed): Promise<readonly string[]> {
  const invoices = db.selectFrom('invoices').select('id').where('customerId', '=', customerId)
  const rows = await db
    .selectFrom('outbox')
    .select(['id', 'kind', 'lastError'])
    .where('doneAt', 'is', null)
    .where('subjectId', 'in', invoices)
    .execute()
  return rows.map(({ id, kind, lastError }) => `${id} ${kind}: ${lastError ?? 'not tried'}`)
}

async function usageOf({ call, database }: Lane, key: string): Promise<Account['events']> {
  const { rows } = await sql<{ count: string }>`SELECT count(*)::text AS count FROM events
    WHERE subject = ${key}`.execute(database.db)
  const usage = await call<{ data: readonly { value: number }[] }>(
    'GET',
    `/api/v1/meters/tokens/query?subject=${key}`,
  )
  return {
    stored: Number(rows[0]?.count ?? '0'),
    tokens: String(usage.data.reduce((sum, { value }) => sum + value, 0)),
  }
}
