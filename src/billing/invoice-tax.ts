import { storedApp } from '../db/stores/billing-settings.ts'
import { getInvoiceRow, updateInvoice } from '../db/stores/invoices.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { DomainError } from '../domain/errors.ts'
import { classifyStripeError } from '../stripe/failures.ts'
import { isTaxRefusal } from '../stripe/invoice-tax.ts'
import type { CollectDeps } from './collect-deps.ts'
import { invoiceSettings } from './invoice-settings.ts'

/** Whether issuing failed because Stripe cannot compute the tax. */
export const isTaxFailure = isTaxRefusal

const LOCATION = 'customer_tax_location_invalid'

interface Untaxed {
  readonly asOfMs: number
  readonly error: unknown
}

/**
 * The profile's policy for tax that cannot be computed. Enforced: the failure stays one, and is thrown on. Else the draft
 * at Stripe loses automatic tax, and the row and its timeline say so.
 */
export async function withoutTax(
  deps: CollectDeps,
  { id }: InvoiceRow,
  { asOfMs, error }: Untaxed,
): Promise<InvoiceRow> {
  const row = await getInvoiceRow(deps.db, id)
  if (!row) throw error
  if (invoiceSettings(row).workflow.tax.enforced) {
    await updateInvoice(deps.db, row, { taxOutcome: 'failed' })
    const { code, message } = classifyStripeError(error)
    // Of an account without tax settings Stripe says so in words only.
    throw code === LOCATION ? error : new DomainError('stripe_tax_inactive', message)
  }
  if (row.stripeInvoiceId !== null) {
    const { stripeInvoiceId, syncGeneration: generation } = row
    await deps.stripe.withoutTax(await storedApp(deps.db, row.appId), {
      invoiceId: id,
      stripeInvoiceId,
      generation,
    })
  }
  return await deps.db.transaction().execute(async (trx) => {
    // Stripe may keep its refusal to finalize under the key: the next try has another.
    const patch = { taxOutcome: 'skipped', syncGeneration: row.syncGeneration + 1 }
    const untaxed = await updateInvoice(trx, row, patch)
    if (!untaxed) throw error
    const detail = `Issued without tax, which is not enforced: ${classifyStripeError(error).message}`
    await appendTimeline(trx, [
      { subjectType: 'invoice', subjectId: id, at: new Date(asOfMs), kind: 'tax_skipped', detail },
    ])
    return untaxed
  })
}
