import type { Context } from '../context.ts'
import { formatAmount } from '../currencies.ts'
import { itemsOf } from '../invoices/lines.ts'
import type { InvoiceRecord } from '../records.ts'
import type { Html } from './html.ts'
import { html } from './html.ts'
import type { PdfLine } from './pdf.ts'

/** `31 Jan 2027`, in UTC. */
export function dateText(at: number | null): string {
  if (at === null) return ''
  const options = { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' } as const
  return new Intl.DateTimeFormat('en-GB', options).format(at * 1000)
}

/** The sums below the lines, as far as they differ. */
export function sumsOf(invoice: InvoiceRecord): readonly (readonly [words: string, amount: number])[] {
  const tax = invoice.total - (invoice.total_excluding_tax ?? invoice.total)
  const applied = invoice.ending_balance === null ? 0 : invoice.starting_balance - invoice.ending_balance
  return [
    ['Subtotal', invoice.subtotal_excluding_tax ?? invoice.subtotal],
    ...(tax === 0 ? [] : [['Tax', tax] as const]),
    ['Total', invoice.total],
    ...(applied === 0 ? [] : [['Applied balance', applied] as const]),
    ...(invoice.amount_paid === 0 ? [] : [['Amount paid', -invoice.amount_paid] as const]),
    ['Amount due', invoice.amount_remaining],
  ]
}

/** The lines and the sums. */
export function linesTable(ctx: Context, invoice: InvoiceRecord): Html {
  const amount = (value: number) => formatAmount(value, invoice.currency)
  const rows = itemsOf(ctx, invoice).map(
    (item) =>
      html`<tr>
        <td>${item.description ?? ''}</td>
        <td class="amount">${amount(item.amount)}</td>
      </tr>`,
  )
  const sums = sumsOf(invoice).map(
    ([words, value]) =>
      html`<tr class="${words === 'Amount due' ? 'total' : ''}">
        <th scope="row">${words}</th>
        <td class="amount">${amount(value)}</td>
      </tr>`,
  )
  return html`<table>
    <tr>
      <th>Description</th>
      <th class="amount">Amount</th>
    </tr>
    ${rows}${sums}
  </table>`
}

/** The same as lines of a document. */
export function pdfLines(ctx: Context, invoice: InvoiceRecord): readonly PdfLine[] {
  const amount = (value: number) => formatAmount(value, invoice.currency)
  const { line1, line2, postal_code: postal, city, country } = invoice.customer_address ?? {}
  const address = [line1, line2, [postal, city].filter(Boolean).join(' '), country]
  const facts = [
    `Date of issue: ${dateText(invoice.effective_at ?? null)}`,
    ...(invoice.due_date === null ? [] : [`Date due: ${dateText(invoice.due_date)}`]),
    `Status: ${invoice.status}`,
  ]
  const receiver = [invoice.customer_name, ...address, invoice.customer_email].filter(Boolean)
  const ids = (invoice.customer_tax_ids ?? []).map(({ value }) => value)
  return [
    [`Invoice ${invoice.number ?? ''}`, ''],
    ['', ''],
    ...facts.map((fact): PdfLine => [fact, '']),
    ['', ''],
    ...[...receiver, ...ids].map((text): PdfLine => [text ?? '', '']),
    ['', ''],
    ...itemsOf(ctx, invoice).map((item): PdfLine => [item.description ?? '', amount(item.amount)]),
    ['', ''],
    ...sumsOf(invoice).map(([words, value]): PdfLine => [words, amount(value)]),
  ]
}
