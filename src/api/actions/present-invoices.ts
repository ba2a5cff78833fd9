import { adjustmentsOf } from '../../db/stores/adjustments.ts'
import { findAppsById } from '../../db/stores/apps.ts'
import { linesOfInvoices } from '../../db/stores/invoice-reads.ts'
import type { InvoiceRow } from '../../db/stores/invoices.ts'
import { numbersAtStripe } from '../../db/stores/stripe-items.ts'
import type { ApiDeps } from '../deps.ts'
import { presentInvoice } from '../presenters/invoice.ts'
import type { Invoice, InvoiceExpansion } from '../schemas/invoices.ts'

/** Invoices as an answer has them: their lines are read for the totals, and shown where they are asked for. */
export async function presentInvoices(
  { db }: ApiDeps,
  rows: readonly InvoiceRow[],
  expand: readonly InvoiceExpansion[],
): Promise<Invoice[]> {
  const ids = rows.map((row) => row.id)
  const lines = await linesOfInvoices(db, ids)
  const adjustments = await adjustmentsOf(db, ids)
  const unnumbered = rows.filter((row) => row.number === null).map((row) => row.id)
  const stripeNumbers = await numbersAtStripe(db, unnumbered)
  const appIds = expand.includes('workflow.apps') ? [...new Set(rows.map((row) => row.appId))] : []
  const apps = new Map((await findAppsById(db, appIds)).map((app) => [app.id, app]))
  const showLines = expand.includes('lines')
  return rows.map((row) =>
    presentInvoice(row, lines.get(row.id) ?? [], {
      showLines,
      app: apps.get(row.appId),
      adjustments: adjustments.get(row.id),
      stripeNumbers: stripeNumbers.get(row.id),
    }),
  )
}

/** One invoice with what was asked for; with its lines where nothing was. */
export async function presentOneInvoice(
  deps: ApiDeps,
  row: InvoiceRow,
  expand: readonly InvoiceExpansion[] = ['lines'],
): Promise<Invoice> {
  const [invoice] = await presentInvoices(deps, [row], expand)
  if (invoice === undefined) throw new Error('one row is one invoice')
  return invoice
}
