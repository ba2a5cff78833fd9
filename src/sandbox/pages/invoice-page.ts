import { cardByNumber } from '../cards.ts'
import { formatAmount } from '../currencies.ts'
import { fieldOf, redirect, send, sendHtml } from '../http.ts'
import { attemptPayment } from '../invoices/collect.ts'
import { itemsOf } from '../invoices/lines.ts'
import { createFromCard } from '../resources/payment-methods.ts'
import type { InvoiceRecord } from '../tables.ts'
import type { Html } from './html.ts'
import { cardField, document, html } from './html.ts'
import type { PageRequest } from './pages.ts'

function dateText(at: number | null): string {
  return at === null ? '' : new Date(at * 1000).toISOString().slice(0, 10)
}

function linesTable({ ctx }: PageRequest, invoice: InvoiceRecord): Html {
  const amount = (value: number) => formatAmount(value, invoice.currency)
  const rows = itemsOf(ctx, invoice).map(
    (item) =>
      html`<tr>
        <td>${item.description ?? ''}</td>
        <td>${amount(item.amount)}</td>
      </tr>`,
  )
  const tax = invoice.total - (invoice.total_excluding_tax ?? invoice.total)
  const taxRow =
    tax === 0
      ? []
      : [
          html`<tr>
            <td>Tax</td>
            <td>${amount(tax)}</td>
          </tr>`,
        ]
  return html`<table>
    <tr>
      <th>Description</th>
      <th>Amount</th>
    </tr>
    ${rows}${taxRow}
    <tr>
      <th>Total</th>
      <th>${amount(invoice.total)}</th>
    </tr>
    <tr>
      <th>Amount due</th>
      <th>${amount(invoice.amount_remaining)}</th>
    </tr>
  </table>`
}

function payForm(invoice: InvoiceRecord): Html {
  const isPayable = invoice.status === 'open' || invoice.status === 'uncollectible'
  if (!isPayable) return html`<p>This invoice is ${invoice.status}.</p>`
  return html`<form method="post">
    ${cardField}<button type="submit">Pay ${formatAmount(invoice.amount_remaining, invoice.currency)}</button>
  </form>`
}

function show(request: PageRequest, invoice: InvoiceRecord, error: string | null): void {
  const problem = error === null ? null : html`<p class="error" role="alert">${error}</p>`
  const due = invoice.due_date === null ? null : html`<p>Due ${dateText(invoice.due_date)}</p>`
  const body = html`<h1>Invoice ${invoice.number ?? ''}</h1>
    <p>
      ${invoice.customer_name ?? invoice.customer_email ?? invoice.customer}, issued
      ${dateText(invoice.status_transitions.finalized_at)}
    </p>
    ${due}${problem}${linesTable(request, invoice)}${payForm(invoice)}
    <p><a href="/i/${invoice._secret}/pdf">Download PDF</a></p>`
  sendHtml(request.response, error === null ? 200 : 402, document(`Invoice ${invoice.number ?? ''}`, body))
}

/** The customer is present, so that 3-D Secure counts as passed here. */
function pay(request: PageRequest, invoice: InvoiceRecord): void {
  const { ctx, form } = request
  const card = cardByNumber(fieldOf(form, 'card'))
  if (card === undefined) return show(request, invoice, 'Your card number is incorrect.')
  const { refusal } = ctx.store.transact(() =>
    attemptPayment(ctx, invoice, 'customer', createFromCard(ctx, card)),
  )
  request.changed()
  if (refusal === null) return redirect(request.response, `/i/${invoice._secret}`)
  show(request, ctx.store.get('invoices', invoice.id) ?? invoice, refusal.message)
}

function pdf(request: PageRequest, invoice: InvoiceRecord): void {
  const text = `Invoice ${invoice.number}, total ${formatAmount(invoice.total, invoice.currency)}`.replaceAll(
    /[()\\]/g,
    '',
  )
  const stream = `BT /F1 18 Tf 72 720 Td (${text}) Tj ET`
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>',
    '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>',
    `<</Length ${stream.length}>>stream\n${stream}\nendstream`,
  ]
  const body = objects.map((object, index) => `${index + 1} 0 obj${object}endobj`).join('\n')
  send(request.response, 200, [
    { 'content-type': 'application/pdf' },
    `%PDF-1.4\n${body}\ntrailer<</Root 1 0 R>>\n%%EOF\n`,
  ])
}

/** `/i/<secret>`: the hosted invoice page; POST pays; `/pdf` is a stub of the document. */
export function invoicePage(request: PageRequest): void {
  const [, , secret, part] = request.url.pathname.split('/')
  const invoice = [...request.ctx.store.newestFirst('invoices')].find(
    (candidate) => candidate._secret === secret,
  )
  if (secret === undefined || invoice === undefined) {
    return sendHtml(request.response, 404, document('Not found', html`<h1>No such invoice</h1>`))
  }
  const isPayable = invoice.status === 'open' || invoice.status === 'uncollectible'
  if (part === 'pdf') pdf(request, invoice)
  else if (request.method === 'POST' && isPayable) pay(request, invoice)
  else show(request, invoice, null)
}
