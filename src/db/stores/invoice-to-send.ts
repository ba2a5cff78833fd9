import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import { rowOf } from '../row-document.ts'
import type { RowDocument } from '../row-document.ts'
import { linkOf, ofLinkedApp } from './billing-settings.ts'
import type { LinkedApp } from './billing-settings.ts'
import type { InvoiceLineRow } from './invoices.ts'

/** What Stripe is sent of a line. */
export type LineToSend = Pick<
  InvoiceLineRow,
  'id' | 'amountMinor' | 'discountMinor' | 'name' | 'description' | 'serviceFrom' | 'serviceTo' | 'taxConfig'
>

/** The app of an invoice, who its customer is there, and its lines. */
export interface ToSend extends LinkedApp {
  readonly lines: readonly LineToSend[]
}

/** All of it in one question. */
export async function appLinkAndLines(
  db: Db,
  { id, appId, customerId }: { readonly id: string; readonly appId: string; readonly customerId: string },
): Promise<ToSend> {
  const [found] = await linkedAppOfInvoice(db, appId, customerId, id)
  if (found === undefined) throw new Error(`there is no app ${appId}`)
  const { link, lines, ...app } = found
  return {
    app,
    link: linkOf(link),
    lines: lines.map((line) => lineToSendOf(line)),
  }
}

export const lineToSendOf = (line: RowDocument): LineToSend =>
  rowOf<LineToSend>(line, { serviceFrom: true, serviceTo: true })

/** What the documents of lines are made of. */
export const lineColumns = [
  'amountMinor',
  'description',
  'discountMinor',
  'id',
  'name',
  'position',
  'serviceFrom',
  'serviceTo',
  'taxConfig',
] as const

/** Lines as documents, in their order; amounts are text, as in a row. */
export const linesAsDocuments = sql<readonly RowDocument[]>`
  coalesce(jsonb_agg(jsonb_build_object('id', id, 'amount_minor', amount_minor::text,
    'discount_minor', discount_minor::text, 'name', name, 'description', description, 'service_from', service_from,
    'service_to', service_to, 'tax_config', tax_config) order by position), '[]')`

const linesToSend = (invoiceId: string) => sql<readonly RowDocument[]>`(
  select ${linesAsDocuments} from invoice_lines where invoice_id = ${invoiceId})`

const linkedAppOfInvoice = prepared((db, appId: string, customerId: string, invoiceId: string) =>
  ofLinkedApp(db, appId, customerId).select(linesToSend(invoiceId).as('lines')).compile(),
)
