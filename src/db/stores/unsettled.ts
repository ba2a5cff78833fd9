import { sql } from 'kysely'

/** Invoices that something is still to be done about: `isSettled` in src/domain/invoice-state.ts, in SQL. */
export const unsettled = sql<boolean>`(invoices.status NOT IN ('paid', 'voided', 'uncollectible')
  OR (invoices.status = 'uncollectible' AND invoices.next_due_at IS NOT NULL))`
