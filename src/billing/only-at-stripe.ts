import type { Db } from '../db/connection.ts'
import { passInvoiceNumber } from '../db/stores/invoice-numbers.ts'
import { invoicesHere } from '../db/stores/reconciliation.ts'
import { orNull } from '../domain/errors.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'
import type { StoredApp } from '../stripe/types.ts'
import type { VerifiedEvent } from '../stripe/webhook-types.ts'

/** An invoice with an id of ours that is not here: made after what was restored, or of a row that somebody removed. */
export interface OnlyAtStripe {
  readonly invoiceId: string
  readonly stripeInvoiceId: string
  readonly number: string | null
}

interface Asked {
  readonly app: StoredApp
  readonly events: readonly VerifiedEvent[]
  readonly dryRun: boolean
}

/** Those that the events tell of. Their numbers are not given out again (rule 22); a dry run changes nothing. */
export async function onlyAtStripe(
  { db, stripe }: { readonly db: Db; readonly stripe: Pick<StripeGateway, 'getInvoice'> },
  { app, events, dryRun }: Asked,
): Promise<readonly OnlyAtStripe[]> {
  const atStripe = new Map<string, string>()
  for (const { invoiceId, stripeInvoiceId, type } of events) {
    const isFinal = type === 'invoice.finalized' || type === 'invoice.paid'
    if (isFinal && invoiceId !== null && stripeInvoiceId !== null) atStripe.set(invoiceId, stripeInvoiceId)
  }
  const here = await invoicesHere(db, [...atStripe.keys()])
  const found: OnlyAtStripe[] = []
  for (const [invoiceId, stripeInvoiceId] of atStripe) {
    if (here.has(invoiceId)) continue
    const view = await orNull(stripe.getInvoice(app, stripeInvoiceId), 'stripe_invoice_not_found')
    const number = view?.number ?? null
    if (number !== null && !dryRun) await passInvoiceNumber(db, number)
    found.push({ invoiceId, stripeInvoiceId, number })
  }
  return found
}
