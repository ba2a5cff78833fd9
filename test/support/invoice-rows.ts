import type { Installation } from './installation.ts'
import { waitFor } from './scenario.ts'

interface Customer {
  readonly customerId: string
}

/** The customer's one invoice as it is stored. */
export const invoiceOf = async ({ database }: Installation, { customerId }: Customer) =>
  await database.db.selectFrom('invoices').selectAll().where('customerId', '=', customerId).executeTakeFirst()
export type InvoiceRow = NonNullable<Awaited<ReturnType<typeof invoiceOf>>>

/** Waits until the customer's one invoice is as wanted. */
export async function untilInvoice(
  installation: Installation,
  customer: Customer,
  isWanted: (row: InvoiceRow) => boolean,
): Promise<InvoiceRow> {
  const found = await waitFor(
    async () => await invoiceOf(installation, customer),
    (row) => row !== undefined && isWanted(row),
  )
  if (!found) throw new Error('no invoice')
  return found
}
