import type { Database } from '../../src/db/connection.ts'
import { plans } from './subscribers.ts'
import type { BilledPlan } from './subscribers.ts'

/** What invoices of a plan that are done are. */
const doneAs = { collected: 'paid', discounted: 'paid', drafted: 'draft' } as const

/** The invoices of one instant. */
export interface Due {
  readonly dueMs: number
  readonly plan: BilledPlan
}

/** How many of them are there, and as they are to be. */
export async function invoicesDone(db: Database, { dueMs, plan }: Due): Promise<number> {
  const { done } = await db
    .selectFrom('invoices')
    .select(({ fn }) => fn.countAll<string>().as('done'))
    .where('closingAt', '=', new Date(dueMs))
    .where('status', '=', doneAs[plan])
    .executeTakeFirstOrThrow()
  return Number(done)
}

/** Throws unless all of them bill the fee and all the usage, in a line each; only what is collected is known to Stripe. */
export async function checkInvoices(db: Database, due: Due & { readonly size: number }): Promise<void> {
  const { dueMs, plan, size } = due
  const { amount, discount } = plans[plan]
  const whole = db
    .selectFrom('invoices')
    .innerJoin('invoiceLines', 'invoiceLines.invoiceId', 'invoices.id')
    .select('invoices.id')
    .where('closingAt', '=', new Date(dueMs))
    .where('invoices.totalMinor', '=', discount === 0 ? String(amount) : '0')
    .where('invoiceLines.amountMinor', '>', '0')
    .where('stripeInvoiceId', plan === 'collected' ? 'is not' : 'is', null)
    .groupBy('invoices.id')
    .having(({ fn }) => fn.countAll(), '=', 2)
    .having(({ fn }) => fn.sum('invoiceLines.amountMinor'), '=', String(amount))
  const found = (await whole.execute()).length
  if (found !== size) throw new Error(`${found} of ${size} invoices bill what was used`)
}
