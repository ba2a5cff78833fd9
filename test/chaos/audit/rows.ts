import { Client, TypeOverrides } from 'pg'

/** Plain rows as PostgreSQL has them: money and quantities are text, instants are epoch milliseconds. */
export interface CustomerRow {
  readonly id: string
  readonly key: string
  /** What time it is for the customer: of their test clock, or the machine's. */
  readonly now: number
  readonly subjects: readonly string[]
  readonly collection_interval: string
  readonly late_policy: 'bill_on_next' | 'ignore'
  readonly late_window: string
}

export interface SubscriptionRow {
  readonly id: string
  readonly customer_id: string
  readonly currency: string
  readonly timezone: string
  readonly billing_cadence: string
  readonly billing_anchor: number
  readonly pro_rating_enabled: boolean
  readonly phases: readonly Phase[]
  readonly active_from: number
  readonly active_to: number | null
  readonly lifecycle: string
  readonly lifecycle_reason: string | null
  readonly next_due_at: number | null
}

export interface Phase {
  readonly key: string
  readonly duration: string | null
  readonly rateCards: readonly RateCard[]
}

export interface RateCard {
  readonly key: string
  readonly featureKey?: string
  readonly billingCadence: string | null
  readonly price: Price | null
  readonly discounts?: {
    readonly percentage?: { readonly percentage: number | string }
    readonly usage?: { readonly quantity: string }
  }
}

export interface Price {
  readonly type: 'flat' | 'unit' | 'tiered' | 'package' | 'dynamic'
  readonly amount?: string
  readonly paymentTerm?: 'in_advance' | 'in_arrears'
  readonly mode?: 'graduated' | 'volume'
  readonly tiers?: readonly Tier[]
  readonly quantityPerPackage?: string
  readonly multiplier?: string
  readonly minimumAmount?: string
  readonly maximumAmount?: string
}

export interface Tier {
  readonly upToAmount?: string
  readonly flatPrice: { readonly amount: string } | null
  readonly unitPrice: { readonly amount: string } | null
}

export interface ClosingRow {
  readonly subscription_id: string
  readonly period_at: number
  readonly period_from: number
  readonly reason: 'period' | 'correction'
  readonly sequence: number
  readonly generation: number
  readonly invoice_id: string | null
  readonly usage_cutoff: string
  /** By the machine's clock: when its transaction began. */
  readonly closed_at: number
}

export interface InvoiceRow {
  readonly id: string
  readonly customer_id: string
  readonly subscription_id: string
  readonly currency: string
  readonly number: string | null
  readonly status: string
  readonly substatus: string | null
  readonly status_reason: string | null
  readonly closing_at: number
  readonly subtotal_minor: string
  readonly discount_minor: string
  readonly tax_minor: string
  readonly total_minor: string
  readonly paid_minor: string
  readonly carried_minor: string
  readonly supplier_key: string
  readonly sends: boolean
  readonly taxed: boolean
  readonly next_due_at: number | null
  readonly draft_until: number | null
  readonly due_at: number | null
  readonly has_workflow: boolean
  readonly stripe_invoice_id: string | null
}

export interface LineRow {
  readonly id: string
  readonly invoice_id: string
  readonly line_key: string
  readonly kind: 'flat' | 'usage' | 'late_usage' | 'carried_balance'
  readonly name: string
  readonly service_from: number
  readonly service_to: number
  readonly full_service_from: number
  readonly full_service_to: number
  readonly usage_cutoff: string | null
  readonly metered_quantity: string | null
  readonly amount_minor: string
  readonly discount_minor: string
  readonly tax_minor: string
  readonly total_minor: string
  readonly details_amount: string
  readonly details_total: string
  readonly details_count: number
}

export interface EventRow {
  readonly source: string
  readonly id: string
  readonly type: string
  readonly subject: string
  readonly time: number
  readonly data: unknown
  readonly seq: string
  readonly txid: string
}

export interface MeterRow {
  readonly feature_key: string
  readonly event_type: string
  readonly aggregation: string
  readonly value_property: string | null
  readonly group_by: Readonly<Record<string, string>>
  readonly filters: Readonly<Record<string, string | readonly string[]>> | null
}

export interface LedgerRow {
  readonly id: string
  readonly subscription_id: string
  readonly invoice_id: string | null
  readonly kind: string
  readonly amount_minor: string
  /** By the machine's clock: when its transaction began. */
  readonly created_at: number
}

export interface MessageRow {
  readonly id: string
  readonly what: string
  readonly last_error: string | null
}

export interface SequenceRow {
  readonly supplier_key: string
  readonly prefix: string
  readonly next_number: string
}

/** Everything that we say, of one moment. */
export interface OurSide {
  readonly customers: readonly CustomerRow[]
  readonly subscriptions: readonly SubscriptionRow[]
  readonly closings: readonly ClosingRow[]
  readonly invoices: readonly InvoiceRow[]
  readonly lines: readonly LineRow[]
  readonly events: readonly EventRow[]
  readonly identities: number
  readonly meters: readonly MeterRow[]
  readonly ledger: readonly LedgerRow[]
  readonly undelivered: readonly MessageRow[]
  readonly sequences: readonly SequenceRow[]
  readonly clocks: readonly { readonly id: string; readonly status: string }[]
}

const TIMESTAMPTZ_OID = 1184
const parsers = new TypeOverrides()
parsers.setTypeParser(TIMESTAMPTZ_OID, (text) => new Date(text).getTime())

const queries: { readonly [K in Exclude<keyof OurSide, 'identities'>]: string } = {
  customers: `
    SELECT c.id, c.key, coalesce(k.frozen_time, now()) AS now,
      ARRAY(SELECT subject_key FROM customer_subjects s WHERE s.customer_id = c.id AND s.deleted_at IS NULL) AS subjects,
      coalesce(o.workflow #>> '{collection,interval}', p.workflow #>> '{collection,interval}') AS collection_interval,
      coalesce(o.late_usage ->> 'policy', p.late_usage ->> 'policy') AS late_policy,
      coalesce(o.late_usage ->> 'window', p.late_usage ->> 'window') AS late_window
    FROM customers c
    LEFT JOIN test_clocks k ON k.id = c.test_clock_id
    LEFT JOIN billing_overrides o ON o.customer_id = c.id
    LEFT JOIN billing_profiles p ON p.deleted_at IS NULL
      AND CASE WHEN o.billing_profile_id IS NULL THEN p.is_default ELSE p.id = o.billing_profile_id END`,
  subscriptions: `SELECT * FROM subscriptions WHERE deleted_at IS NULL ORDER BY id`,
  closings: `SELECT * FROM closings ORDER BY subscription_id, period_at, reason DESC, sequence, generation`,
  invoices: `
    SELECT *, coalesce(supplier_snapshot ->> 'id', 'default') AS supplier_key,
      workflow_snapshot #>> '{payment,collectionMethod}' = 'send_invoice' AS sends,
      coalesce((workflow_snapshot #>> '{tax,enabled}')::boolean, false) AS taxed
    FROM invoices WHERE deleted_at IS NULL ORDER BY id`,
  lines: `
    SELECT l.*, d.amount::text AS details_amount, d.total::text AS details_total, d.count::int AS details_count
    FROM invoice_lines l, LATERAL (
      SELECT coalesce(sum((part ->> 'amountMinor')::numeric), 0) AS amount,
        coalesce(sum((part ->> 'totalMinor')::numeric), 0) AS total, count(*) AS count
      FROM jsonb_array_elements(l.details) part) d
    ORDER BY l.invoice_id, l.position`,
  events: `SELECT source, id, type, subject, time, data, seq::text AS seq, txid::text AS txid FROM events ORDER BY seq`,
  meters: `
    SELECT f.key AS feature_key, m.event_type, m.aggregation, m.value_property, m.group_by,
      f.meter_group_by_filters AS filters
    FROM features f JOIN meters m ON m.id = f.meter_id ORDER BY f.archived_at NULLS LAST`,
  ledger: `SELECT id, subscription_id, invoice_id, kind, amount_minor, created_at FROM ledger_entries ORDER BY id`,
  undelivered: `
    SELECT 'outbox ' || id AS id, kind || ' of ' || subject_id AS what, last_error FROM outbox WHERE done_at IS NULL
    UNION ALL
    SELECT 'inbox ' || event_id, type || ' of ' || object_id, last_error FROM stripe_events
    WHERE processed_at IS NULL OR outcome LIKE 'given\\_up:%'`,
  sequences: `SELECT supplier_key, prefix, next_number FROM invoice_number_sequences`,
  clocks: `SELECT id, status FROM test_clocks WHERE deleted_at IS NULL`,
}

/** Reads it all in one snapshot. */
export async function readOurSide(databaseUrl: string): Promise<OurSide> {
  const client = new Client({
    connectionString: databaseUrl,
    types: parsers,
    options: '-c TimeZone=UTC',
  })
  await client.connect()
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const found: Record<string, unknown> = {}
    for (const [name, query] of Object.entries(queries)) found[name] = (await client.query(query)).rows
    const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM event_identities')
    await client.query('COMMIT')
    return { ...found, identities: Number(rows[0]?.count) } as unknown as OurSide
  } finally {
    await client.end()
  }
}
