import { sql } from 'kysely'
import { finalStatuses } from '../../domain/invoice-state.ts'
import type { Db } from '../connection.ts'
import { ACCRUING } from './running-invoices.ts'

/** Rows of one kind that wait to be worked off. */
export interface Backlog {
  readonly count: number
  /** Since when the oldest waits; 0: none does. */
  readonly oldestSeconds: number
}

/** How the installation stands, for monitoring: all of it from partial indexes over what is not done. */
export interface InstallationState {
  readonly outbox: Backlog
  readonly inbox: Backlog
  /** In real time: subscriptions whose closing, and invoices whose next step, should have been. Test clocks move their own. */
  readonly dueSubscriptions: Backlog
  readonly dueInvoices: Backlog
  /** Events that the rollups furthest behind do not hold yet, at most; of whatever type. */
  readonly usageRollups: Backlog
  /** Stopped before they billed something absurd, until a person has looked (rule 33). */
  readonly parked: number
  readonly invoices: readonly InvoicesInState[]
  readonly apps: readonly { readonly status: string; readonly count: number }[]
  readonly reconciler: ReconcilerState
}

export interface InvoicesInState {
  readonly status: string
  readonly substatus: string
  readonly count: number
}

export interface ReconcilerState {
  /** When the newest pass that went through everything ended, in epoch seconds; 0: never. */
  readonly passedAt: number
  readonly findings: number
  /** Whether the newest look failed. */
  readonly isFailing: boolean
}

/** Reads it; a few milliseconds. */
export async function readInstallationState(db: Db): Promise<InstallationState> {
  const [outbox, inbox, dueSubscriptions, dueInvoices] = await backlogs(db)
  return {
    outbox,
    inbox,
    dueSubscriptions,
    dueInvoices,
    usageRollups: await usageRollupsBehind(db),
    parked: await parkedSubscriptions(db),
    invoices: await invoicesThatWait(db),
    apps: await appsByStatus(db),
    reconciler: await reconcilerState(db),
  }
}

type Backlogs = readonly [outbox: Backlog, inbox: Backlog, subscriptions: Backlog, invoices: Backlog]

async function backlogs(db: Db): Promise<Backlogs> {
  const of = async (from: ReturnType<typeof sql>, since: string): Promise<Backlog> => {
    const { rows } = await sql<{ count: string; oldest: number | null }>`
      SELECT count(*) AS count, extract(epoch FROM now() - min(${sql.ref(since)}))::float8 AS oldest ${from}`.execute(
      db,
    )
    return { count: Number(rows[0]?.count ?? 0), oldestSeconds: Math.max(rows[0]?.oldest ?? 0, 0) }
  }
  return [
    await of(sql`FROM outbox WHERE done_at IS NULL`, 'created_at'),
    await of(sql`FROM stripe_events WHERE processed_at IS NULL`, 'received_at'),
    await of(
      sql`FROM subscriptions s JOIN customers c ON c.id = s.customer_id
        WHERE s.next_due_at < now() AND s.lifecycle <> 'parked' AND c.test_clock_id IS NULL`,
      's.next_due_at',
    ),
    await of(
      sql`FROM invoices i JOIN customers c ON c.id = i.customer_id
        WHERE i.next_due_at < now() AND i.status <> ALL (${[...finalStatuses]}::text[])
          AND i.substatus IS DISTINCT FROM ${ACCRUING} AND c.test_clock_id IS NULL`,
      'i.next_due_at',
    ),
  ]
}

/** Numbers of events have gaps: their difference is at least how many there are. */
async function usageRollupsBehind(db: Db): Promise<Backlog> {
  const { rows } = await sql<{ count: string | null; oldest: number | null }>`
    SELECT greatest((SELECT max(seq) FROM events) - rolled_seq, 0) AS count,
      (SELECT extract(epoch FROM now() - stored_at)::float8 FROM events WHERE seq > rolled_seq ORDER BY seq LIMIT 1) AS oldest
    FROM (SELECT min(rolled_seq) AS rolled_seq FROM usage_series WHERE NOT obsolete) furthest`.execute(db)
  return { count: Number(rows[0]?.count ?? 0), oldestSeconds: Math.max(rows[0]?.oldest ?? 0, 0) }
}

async function parkedSubscriptions(db: Db): Promise<number> {
  const { rows } = await sql<{ count: string }>`
    SELECT count(*) AS count FROM subscriptions WHERE lifecycle = 'parked'`.execute(db)
  return Number(rows[0]?.count ?? 0)
}

/** Of customers in real time, and not those whose period is open. */
async function invoicesThatWait(db: Db): Promise<readonly InvoicesInState[]> {
  const { rows } = await sql<{ status: string; substatus: string; count: string }>`
    SELECT i.status, coalesce(i.substatus, '') AS substatus, count(*) AS count
    FROM invoices i JOIN customers c ON c.id = i.customer_id
    WHERE i.status NOT IN ('paid', 'voided', 'uncollectible')
      AND i.substatus IS DISTINCT FROM ${ACCRUING} AND c.test_clock_id IS NULL
    GROUP BY 1, 2`.execute(db)
  return rows.map(({ count, ...state }) => ({ ...state, count: Number(count) }))
}

async function appsByStatus(db: Db): Promise<InstallationState['apps']> {
  const rows = await db
    .selectFrom('apps')
    .select((eb) => ['status', eb.fn.countAll<string>().as('count')])
    .where('type', '=', 'stripe')
    .where('deletedAt', 'is', null)
    .groupBy('status')
    .execute()
  return rows.map(({ status, count }) => ({ status, count: Number(count) }))
}

async function reconcilerState(db: Db): Promise<ReconcilerState> {
  const runs = db.selectFrom('reconciliationRuns').orderBy('id', 'desc').limit(1)
  const passed = await runs
    .where('endedAt', 'is not', null)
    .select(['endedAt', 'findingsCount'])
    .executeTakeFirst()
  const newest = await runs.select('error').executeTakeFirst()
  return {
    passedAt: (passed?.endedAt?.getTime() ?? 0) / 1000,
    findings: passed?.findingsCount ?? 0,
    isFailing: newest !== undefined && newest.error !== null,
  }
}
