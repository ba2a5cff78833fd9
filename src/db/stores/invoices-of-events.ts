import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import type { StripeEventRow } from './stripe-events.ts'

/** Our invoice that a Stripe object belongs to: by our id in its metadata, else by its Stripe id. */
export async function invoiceOfStripeEvent(
  db: Db,
  event: Pick<StripeEventRow, 'appId' | 'invoiceId' | 'objectId'>,
): Promise<InvoiceOfEvent | undefined> {
  return await invoicesOfEvents(db)
    .where('invoices.appId', '=', event.appId)
    .where((eb) =>
      event.invoiceId === null
        ? eb('invoices.stripeInvoiceId', '=', event.objectId)
        : eb('invoices.id', '=', event.invoiceId),
    )
    .executeTakeFirst()
}

/** The same for many events, in one statement: in their order. */
export async function invoicesOfStripeEvents(
  db: Db,
  events: readonly Pick<StripeEventRow, 'appId' | 'invoiceId' | 'objectId'>[],
): Promise<readonly (InvoiceOfEvent | undefined)[]> {
  const ids = events.flatMap(({ invoiceId }) => invoiceId ?? [])
  const others = events.filter(({ invoiceId }) => invoiceId === null)
  const found = await invoicesNamed(
    db,
    ids,
    others.map(({ appId }) => appId),
    others.map(({ objectId }) => objectId),
  )
  return events.map(({ appId, invoiceId, objectId }) =>
    found.find(
      (row) =>
        row.appId === appId && (invoiceId === null ? row.stripeInvoiceId === objectId : row.id === invoiceId),
    ),
  )
}

/** By our ids, or by app and Stripe's id. */
const invoicesNamed = prepared(
  (db, ids: readonly string[], appIds: readonly string[], stripeIds: readonly string[]) =>
    invoicesOfEvents(db)
      .select(['invoices.appId', 'invoices.stripeInvoiceId'])
      .where((eb) =>
        eb.or([
          eb('invoices.id', '=', sql<string>`any(${ids}::text[])`),
          eb.and([
            eb('invoices.appId', '=', sql<string>`any(${appIds}::text[])`),
            eb('invoices.stripeInvoiceId', '=', sql<string>`any(${stripeIds}::text[])`),
          ]),
        ]),
      )
      .compile(),
)

/** Waits on what failed: each is worth a try at once when another payment method came. */
const failedSubstatuses = ['payment_failed', 'action_required'] as const

/**
 * Marks the Stripe customer's invoices that wait for another payment method: one came. Where it is known to be another
 * than the one that failed (`isAnother`), those whose next retry is planned are marked too; an e-mailed one is its
 * customer's to pay, and has no retries (rule 32). Asked again, it finds them as long as their workflows have not acted on
 * it.
 */
export async function takeNewPaymentMethod(
  db: Db,
  of: { readonly appId: string; readonly stripeCustomerId: string; readonly isAnother: boolean },
): Promise<readonly InvoiceOfEvent[]> {
  if (of.isAnother) {
    await db
      .updateTable('invoices')
      .set((eb) => ({
        substatus: 'payment_method_needed',
        needsNewPaymentMethod: false,
        version: eb('version', '+', 1),
      }))
      .where('appId', '=', of.appId)
      .where('stripeCustomerId', '=', of.stripeCustomerId)
      .where('status', 'in', ['issued', 'overdue'])
      .where('substatus', 'in', [...failedSubstatuses])
      .where(sql`workflow_snapshot #>> '{payment,collectionMethod}'`, 'is distinct from', 'send_invoice')
      .execute()
  }
  const invoices = await waitingForMethod(db, of.appId, of.stripeCustomerId)
  if (invoices.length === 0) return []
  await db
    .updateTable('invoices')
    .set((eb) => ({ needsNewPaymentMethod: false, version: eb('version', '+', 1) }))
    .where(
      'id',
      'in',
      invoices.map(({ id }) => id),
    )
    .where('substatus', '=', 'payment_method_needed')
    .where('needsNewPaymentMethod', '=', true)
    .execute()
  return invoices
}

const waitingForMethod = prepared((db, appId: string, stripeCustomerId: string) =>
  invoicesOfEvents(db)
    .where('invoices.appId', '=', appId)
    .where('invoices.stripeCustomerId', '=', stripeCustomerId)
    // Said in the statement: its index is of these alone, and a plan for any value could not use it.
    .where('invoices.substatus', '=', sql.lit('payment_method_needed'))
    .compile(),
)

/** Invoices with what their workflows are started and found by. */
export function invoicesOfEvents(db: Db) {
  return db
    .selectFrom('invoices')
    .innerJoin('customers', 'customers.id', 'invoices.customerId')
    .leftJoin('testClocks', 'testClocks.id', 'customers.testClockId')
    .select([
      'invoices.id',
      'invoices.status',
      'invoices.substatus',
      'invoices.hasWorkflow',
      'invoices.customerId',
      'invoices.updatedAt',
      'customers.key as customerKey',
      'testClocks.frozenTime',
    ])
}

export interface InvoiceOfEvent {
  readonly id: string
  readonly status: string
  readonly substatus: string | null
  readonly hasWorkflow: boolean
  readonly customerId: string
  readonly customerKey: string | null
  readonly updatedAt: Date
  readonly frozenTime: Date | null
}
