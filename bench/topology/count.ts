import { sql } from 'kysely'
import { metadataKeys } from '../../src/stripe/metadata.ts'
import type { Stack } from '../stack/stack.ts'
import type { Subscriber } from './load.ts'

/** What there is at the end, counted from the rows and from the sandbox. All but the first three have to be 0. */
export interface Counted {
  readonly subscriptions: number
  readonly invoices: number
  readonly paid: number
  readonly missing: number
  readonly doubled: number
  readonly wrongTotals: number
  readonly unpaid: number
  /** Of ours, paid, and not or not once or with another total at Stripe. */
  readonly differAtStripe: number
  readonly onlyAtStripe: number
}

interface Row {
  readonly id: string
  readonly status: string
  readonly totalMinor: string
  readonly closingAt: Date
  readonly stripeInvoiceId: string | null
}

interface StripeInvoice {
  readonly status: string
  readonly total: number
  readonly metadata: Readonly<Record<string, string>>
}

/** The two invoices of a subscription in real time: its beginning and the boundary; together they cost what they cost. */
const REAL_TIME_INVOICES = 2
/** A smaller total is carried over and not sent (rule 21). */
const LEAST_SENT_MINOR = 50n

export async function count(stack: Stack, subscribers: readonly Subscriber[]): Promise<Counted> {
  const stripes = await stripeInvoices(stack.sandbox.url)
  const rows = await stack.db.selectFrom('invoices').selectAll().orderBy('closingAt').execute()
  const bySubscription = groupBy(rows, ({ subscriptionId }) => subscriptionId)
  let missing = 0
  let wrongTotals = 0
  for (const { subscriptionId, expected } of subscribers) {
    const own: readonly Row[] = bySubscription.get(subscriptionId) ?? []
    const wanted = expected.length === 0 ? REAL_TIME_INVOICES : expected.length
    missing += Math.max(0, wanted - own.length)
    wrongTotals += own.filter(({ totalMinor }, index) => {
      const total = expected[index]
      return total !== undefined && BigInt(totalMinor) !== total
    }).length
  }
  const periods = new Set(rows.map((row) => `${row.subscriptionId} ${row.closingAt.getTime()}`))
  const paid = rows.filter(({ status }) => status === 'paid')
  const ids = new Set(rows.map(({ id }) => id))
  const invoiceIdOf = ({ metadata }: StripeInvoice): string => metadata[metadataKeys.invoice] ?? ''
  const atStripe = groupBy(stripes, invoiceIdOf)
  const differs = ({ id, totalMinor, stripeInvoiceId }: Row): boolean => {
    if (stripeInvoiceId === null) return BigInt(totalMinor) >= LEAST_SENT_MINOR
    const [one, ...more] = atStripe.get(id) ?? []
    return one === undefined || more.length > 0 || one.status !== 'paid' || String(one.total) !== totalMinor
  }
  return {
    subscriptions: subscribers.length,
    invoices: rows.length,
    paid: paid.length,
    missing,
    doubled: rows.length - periods.size,
    wrongTotals,
    unpaid: rows.length - paid.length,
    differAtStripe: paid.filter(differs).length,
    onlyAtStripe: stripes.filter((invoice) => !ids.has(invoiceIdOf(invoice))).length,
  }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}

async function stripeInvoices(sandboxUrl: string): Promise<readonly StripeInvoice[]> {
  const response = await fetch(`${sandboxUrl}/_sandbox/dump`)
  const { invoices } = (await response.json()) as { invoices?: readonly StripeInvoice[] }
  return invoices ?? []
}

/** Whether nothing is due, now or before the last boundary of the load, and nothing waits to be delivered any more. */
export async function isSettled({ db }: Stack, lastBoundaryMs: number): Promise<boolean> {
  if (Date.now() <= lastBoundaryMs) return false
  const { rows } = await sql<{ open: boolean }>`
    SELECT EXISTS (SELECT FROM subscriptions s LEFT JOIN customers c ON c.id = s.customer_id
                   WHERE s.next_due_at <= now() AND c.test_clock_id IS NULL)
        OR EXISTS (SELECT FROM invoices WHERE status NOT IN ('paid', 'voided', 'uncollectible'))
        OR EXISTS (SELECT FROM outbox WHERE done_at IS NULL)
        OR EXISTS (SELECT FROM stripe_events WHERE processed_at IS NULL) AS open`.execute(db)
  return rows[0]?.open === false
}
