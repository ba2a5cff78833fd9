import type { Db } from '../../db/connection.ts'
import { adjustmentsOf } from '../../db/stores/adjustments.ts'
import { findAppsById } from '../../db/stores/apps.ts'
import { linesOfInvoices, sumsOfLines } from '../../db/stores/invoice-reads.ts'
import type { InvoiceRow } from '../../db/stores/invoices.ts'
import { numbersAtStripe } from '../../db/stores/stripe-items.ts'
import type { ApiDeps } from '../deps.ts'
import { presentInvoice, viewOfLines } from '../presenters/invoice.ts'
import type { InvoiceLinesView } from '../presenters/invoice.ts'
import type { Invoice, InvoiceExpansion } from '../schemas/invoices.ts'

/** Invoices as an answer has them; their lines are read where they are asked for. */
export async function presentInvoices(
  { db }: ApiDeps,
  rows: readonly InvoiceRow[],
  expand: readonly InvoiceExpansion[],
): Promise<Invoice[]> {
  const ids = rows.map((row) => row.id)
  const unnumbered = rows.filter((row) => row.number === null).map((row) => row.id)
  const appIds = expand.includes('workflow.apps') ? [...new Set(rows.map((row) => row.appId))] : []
  const [lines, adjustments, stripeNumbers, apps] = await Promise.all([
    expand.includes('lines') ? wholeLines(db, ids) : sumsOnly(db, ids),
    adjustmentsOf(db, ids),
    numbersAtStripe(db, unnumbered),
    findAppsById(db, appIds),
  ])
  const appsById = new Map(apps.map((app) => [app.id, app]))
  return rows.map((row) =>
    presentInvoice(row, lines.get(row.id) ?? noLines, {
      app: appsById.get(row.appId),
      adjustments: adjustments.get(row.id),
      stripeNumbers: stripeNumbers.get(row.id),
    }),
  )
}

const noLines: InvoiceLinesView = { count: 0, chargesMinor: 0n, shown: null }

async function wholeLines(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, InvoiceLinesView>> {
  const lines = await linesOfInvoices(db, ids)
  return new Map([...lines].map(([id, rows]) => [id, viewOfLines(rows, true)]))
}

/** What explains a line weighs more than all else of it: a list that shows none reads none. */
async function sumsOnly(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, InvoiceLinesView>> {
  const sums = await sumsOfLines(db, ids)
  return new Map(sums.map(({ invoiceId, ...sum }) => [invoiceId, { ...sum, shown: null }]))
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
