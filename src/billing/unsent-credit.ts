import type { Database } from '../db/connection.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
import { bookUnsentCredit } from '../db/stores/ledger.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { currency } from '../domain/currency.ts'
import { displayMinor } from '../domain/money.ts'
import { whereLeft } from './left-balance.ts'

/**
 * What Stripe takes no item for is a credit on the next bill (rule 21). `unsentMinor` is all of it, zero or negative: what
 * was booked before is not booked again.
 */
export async function carryUnsent(
  db: Database,
  row: InvoiceRow,
  { unsentMinor, asOfMs }: { readonly unsentMinor: bigint; readonly asOfMs: number },
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const difference = await bookUnsentCredit(trx, {
      subscriptionId: row.subscriptionId,
      customerId: row.customerId,
      currency: row.currency,
      invoiceId: row.id,
      amountMinor: unsentMinor,
    })
    if (difference === 0n) return
    const amount = displayMinor(-unsentMinor, currency(row.currency))
    const where = await whereLeft(trx, row.subscriptionId)
    const detail = `A credit of ${amount} ${where}: Stripe Tax takes no negative lines`
    const at = new Date(asOfMs)
    await appendTimeline(trx, [{ subjectType: 'invoice', subjectId: row.id, at, kind: row.status, detail }])
  })
}
