import { sql } from 'kysely'
import type { Database } from '../../src/db/connection.ts'

/**
 * Stores rows of as many subscriptions as have been billed once, canceled and ended, like one that is there: each with its
 * customer, invoice, closing, command and timeline. Nothing runs for them.
 */
export async function storeEnded(db: Database, count: number): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`CREATE TEMPORARY TABLE ended ON COMMIT DROP AS
      SELECT gen_random_uuid()::text AS id, n, now() - interval '2 months' AS from_at, now() - interval '1 month' AS to_at
      FROM generate_series(1, ${count}::int) n`.execute(trx)
    await sql`INSERT INTO customers (id, key, name, currency) SELECT id, 'ended-' || id, 'Ended ' || n, 'USD' FROM ended`.execute(
      trx,
    )
    await sql`INSERT INTO customer_subjects (customer_id, subject_key) SELECT id, 'ended-' || id FROM ended`.execute(
      trx,
    )
    await sql`
      INSERT INTO customer_apps (customer_id, app_id, stripe_customer_id)
      SELECT ended.id, app_id, 'cus_' || ended.id FROM ended, billing_profiles WHERE is_default`.execute(trx)
    await sql`
      INSERT INTO subscriptions (id, customer_id, name, plan_id, plan_key, plan_version, currency, timezone, billing_cadence,
        billing_anchor, pro_rating_enabled, phases, active_from, active_to, lifecycle, closed_through, created_at)
      SELECT ended.id, ended.id, s.name, s.plan_id, s.plan_key, s.plan_version, s.currency, s.timezone, s.billing_cadence,
        from_at, s.pro_rating_enabled, s.phases, from_at, to_at, 'ended', to_at, from_at
      FROM ended, (SELECT * FROM subscriptions ORDER BY id LIMIT 1) s`.execute(trx)
    await sql`
      INSERT INTO invoices (id, customer_id, subscription_id, app_id, billing_profile_id, currency, number, draft_number,
        status, period_from, period_to, closing_at, subtotal_minor, total_minor, paid_minor, customer_snapshot,
        supplier_snapshot, workflow_snapshot, dunning_snapshot, issued_at, paid_at, created_at, stripe_invoice_id)
      SELECT ended.id, ended.id, ended.id, p.app_id, p.id, 'USD', 'ENDED-' || ended.id, 'DRAFT-' || ended.id,
        'paid', from_at, to_at, to_at, 2000, 2000, 2000, jsonb_build_object('id', ended.id, 'name', 'Ended ' || n),
        p.supplier, p.workflow, p.dunning, to_at, to_at, to_at, 'in_' || ended.id
      FROM ended, billing_profiles p WHERE p.is_default`.execute(trx)
    await sql`
      INSERT INTO closings (subscription_id, period_at, reason, period_from, invoice_id, usage_cutoff, as_of)
      SELECT id, to_at, 'period', from_at, id, pg_current_snapshot()::text, to_at FROM ended`.execute(trx)
    await sql`
      INSERT INTO subscription_commands (subscription_id, request_id, kind, effective_at)
      SELECT id, gen_random_uuid()::text, 'cancel', to_at FROM ended`.execute(trx)
    await sql`
      INSERT INTO timeline (subject_type, subject_id, at, kind, detail)
      SELECT 'subscription', id, from_at, kind, 'As it happened' FROM ended, unnest(ARRAY['created', 'cancel']) kind`.execute(
      trx,
    )
  })
  await sql`VACUUM ANALYZE`.execute(db)
}
