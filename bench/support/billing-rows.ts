import type { Pool } from 'pg'
import { tokenPlan } from '../../test/support/plans.ts'

/** Invoices of each subscription that is seeded; customers are a tenth of the invoices. */
export const INVOICES_EACH = 10
/** Its customers have usage in the open period. */
const CUSTOMERS_WITH_USAGE = 100
const EVENTS_EACH = 1000
const STEP = 10_000

/** The id of the nth row of a kind: the shape of the ids that the product makes, in order. */
export function seededId(kind: 'C' | 'S' | 'N', n: number): string {
  return `01${kind}${String(n).padStart(23, '0')}`
}

const { phases } = tokenPlan

const workflow = {
  collection: { alignment: { type: 'subscription' }, interval: 'P0D' },
  invoicing: {
    autoAdvance: true,
    draftPeriod: 'P0D',
    dueAfter: 'P30D',
    progressiveBilling: false,
    subscriptionEndProrationMode: 'bill_actual_period',
  },
  payment: { collectionMethod: 'charge_automatically' },
  tax: { enabled: false, enforced: false },
}
const dunning = { retries: ['P3D'], end: 'leave_overdue', grace: 'P7D' }
const supplier = { id: 'SUP', name: 'Acme Inc.', addresses: [{ country: 'US' }] }

/**
 * A shop that has billed for ten months: a customer and a subscription for every ten invoices, each of a fixed fee and of
 * usage, and usage of the open month. What was there of these is replaced.
 */
export async function seedShop(pool: Pool, invoices: number): Promise<void> {
  await pool.query(`TRUNCATE invoice_lines, invoices, subscriptions, customer_subjects, customer_apps, customers,
    billing_profiles, apps, features, meters, events, event_identities, usage_rollups, usage_series CASCADE`)
  await seedSetup(pool)
  const customers = Math.ceil(invoices / INVOICES_EACH)
  for (let from = 0; from < customers; from += STEP) {
    const to = Math.min(from + STEP, customers) - 1
    await pool.query(customerRows, [from, to])
    await pool.query(subjectRows, [from, to])
    await pool.query(subscriptionRows, [from, to, JSON.stringify(phases)])
    await pool.query(invoiceRows, [
      from,
      to,
      JSON.stringify(supplier),
      JSON.stringify(workflow),
      JSON.stringify(dunning),
      INVOICES_EACH,
    ])
    await pool.query(lineRows, [
      from * INVOICES_EACH,
      (to + 1) * INVOICES_EACH - 1,
      JSON.stringify(phases[0]?.rateCards),
    ])
  }
  const withUsage = Math.min(customers, CUSTOMERS_WITH_USAGE)
  await pool.query(eventRows, [withUsage, EVENTS_EACH])
  await pool.query('VACUUM ANALYZE')
}

/** Subscriptions whose usage of the open month is there. */
export function subscriptionsWithUsage(invoices: number): readonly string[] {
  const count = Math.min(Math.ceil(invoices / INVOICES_EACH), CUSTOMERS_WITH_USAGE)
  return Array.from({ length: count }, (_unused, n) => seededId('S', n))
}

async function seedSetup(pool: Pool): Promise<void> {
  await pool.query(
    "INSERT INTO apps (id, type, name, stripe_account_id) VALUES ('APP', 'stripe', 'Stripe', 'acct_1')",
  )
  await pool.query(
    `INSERT INTO billing_profiles (id, name, is_default, app_id, supplier, workflow, dunning, late_usage)
     VALUES ('PROFILE', 'Default', true, 'APP', $1, $2, $3, '{"policy": "bill_on_next", "window": "P30D"}')`,
    [JSON.stringify(supplier), JSON.stringify(workflow), JSON.stringify(dunning)],
  )
  await pool.query(`INSERT INTO meters (id, key, event_type, aggregation, value_property, group_by)
    VALUES ('METER', 'tokens', 'inference', 'SUM', '$.tokens', '{"model": "$.model"}')`)
  await pool.query(
    "INSERT INTO features (id, key, name, meter_id) VALUES ('FEATURE', 'tokens', 'Tokens', 'METER')",
  )
}

const id = (kind: 'C' | 'S' | 'N', n: string): string => `'01${kind}' || lpad((${n})::text, 23, '0')`
/** The open month of every subscription begins here. */
const OPEN = "'2026-10-01T00:00:00Z'::timestamptz"

const customerRows = `
  INSERT INTO customers (id, key, name, primary_email, currency, metadata, created_at)
  SELECT ${id('C', 'n')}, 'customer-' || n, 'Customer ' || n, 'billing-' || n || '@example.com', 'USD', '{"segment": "small"}',
    '2025-11-01T00:00:00Z'::timestamptz + n * interval '1 second'
  FROM generate_series($1::int, $2::int) n`
const subjectRows = `
  INSERT INTO customer_subjects (customer_id, subject_key)
  SELECT ${id('C', 'n')}, 'subject-' || n FROM generate_series($1::int, $2::int) n`
const subscriptionRows = `
  INSERT INTO subscriptions (id, customer_id, name, plan_key, plan_version, currency, timezone, billing_cadence,
    billing_anchor, pro_rating_enabled, phases, active_from, lifecycle, closed_through, next_due_at, next_closing_at, created_at)
  SELECT ${id('S', 'n')}, ${id('C', 'n')}, 'Tokens monthly', 'tokens_monthly', 1, 'USD', 'UTC', 'P1M',
    '2025-12-01T00:00:00Z', true, $3::jsonb, '2025-12-01T00:00:00Z', 'active', ${OPEN},
    ${OPEN} + interval '1 month', ${OPEN} + interval '1 month', '2025-12-01T00:00:00Z'
  FROM generate_series($1::int, $2::int) n`
/** The months in turn, so that the invoices of one customer do not lie together. */
const invoiceRows = `
  INSERT INTO invoices (id, customer_id, subscription_id, app_id, billing_profile_id, currency, number, draft_number,
    status, period_from, period_to, closing_at, subtotal_minor, total_minor, paid_minor, customer_snapshot,
    supplier_snapshot, workflow_snapshot, dunning_snapshot, issued_at, paid_at, created_at, stripe_invoice_id)
  SELECT ${id('N', '$6::int * n + m')}, ${id('C', 'n')}, ${id('S', 'n')}, 'APP', 'PROFILE', 'USD',
    'INV-' || ($6::int * n + m), 'DRAFT-' || ($6::int * n + m),
    CASE WHEN n % 20 = 0 THEN 'issued' ELSE 'paid' END,
    month, month + interval '1 month', month + interval '1 month', 3000, 3000, CASE WHEN n % 20 = 0 THEN 0 ELSE 3000 END,
    jsonb_build_object('id', ${id('C', 'n')}, 'key', 'customer-' || n, 'name', 'Customer ' || n,
      'billingAddress', jsonb_build_object('country', 'US'),
      'usageAttribution', jsonb_build_object('subjectKeys', jsonb_build_array('subject-' || n))),
    $3::jsonb, $4::jsonb, $5::jsonb, month + interval '1 month', month + interval '1 month',
    month + interval '1 month' + n * interval '10 milliseconds', 'in_' || ($6::int * n + m)
  FROM generate_series($1::int, $2::int) n, generate_series(0, $6::int - 1) m,
    LATERAL (SELECT ${OPEN} - (10 - m) * interval '1 month' AS month) months`
const lineRows = `
  INSERT INTO invoice_lines (id, invoice_id, position, line_key, kind, name, description, phase_key, rate_card_key,
    rate_card, feature_key, service_from, service_to, full_service_from, full_service_to, billing_from, billing_to,
    invoice_at, metered_quantity, quantity, amount_minor, total_minor, details)
  SELECT i.id || '-' || k, i.id, k, 'main/' || (card ->> 'key') || '/' || i.period_from,
    CASE k WHEN 0 THEN 'flat' ELSE 'usage' END, card ->> 'name', CASE k WHEN 0 THEN '$20.00' ELSE '1,000 × $0.01' END,
    'main', card ->> 'key', card, CASE k WHEN 1 THEN 'tokens' END, i.period_from, i.period_to, i.period_from, i.period_to,
    i.period_from, i.period_to, i.period_to, CASE k WHEN 1 THEN 1000 END, CASE k WHEN 0 THEN 1 ELSE 1000 END, amount, amount,
    jsonb_build_array(jsonb_build_object('name', card ->> 'name', 'description', 'part', 'quantity', '1',
      'perUnitAmount', '20.00', 'amountMinor', amount::text, 'discountMinor', '0', 'totalMinor', amount::text,
      'category', 'regular'))
  FROM generate_series($1::int, $2::int) n JOIN invoices i ON i.id = ${id('N', 'n')},
    generate_series(0, 1) k, LATERAL (SELECT $3::jsonb -> k AS card, CASE k WHEN 0 THEN 2000 ELSE 1000 END AS amount) c`
const eventRows = `
  INSERT INTO events (source, id, type, subject, time, data, ingested_at)
  SELECT 'bench', c || '-' || n, 'inference', 'subject-' || c, ${OPEN} + n * interval '40 minutes',
    jsonb_build_object('tokens', 1 + n % 4096, 'model', (ARRAY['small', 'medium', 'large', 'embed'])[1 + n % 4]), now()
  FROM generate_series(0, $1::int - 1) c, generate_series(1, $2::int) n`
