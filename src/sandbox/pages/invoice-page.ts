import { formatAmount } from '../currencies.ts'
import { fieldOf, redirect, sendHtml, sendPdf } from '../http.ts'
import { attemptPayment, completeAuthentication, methodFor } from '../invoices/collect.ts'
import { intentOf } from '../invoices/payments.ts'
import type { InvoiceRecord, PaymentIntentRecord } from '../records.ts'
import { tryOnPage } from './attempt.ts'
import { AUTHENTICATION_FAILED, authenticationPage } from './authentication.ts'
import { methodOfForm } from './card-form.ts'
import { cardFields } from './fields.ts'
import type { Html } from './html.ts'
import { document, html, notFound, problem } from './html.ts'
import { dateText, linesTable, pdfLines } from './invoice-view.ts'
import { methodWords } from './words.ts'
import type { PageRequest } from './pages.ts'
import { pdfOf } from './pdf.ts'

const isPayable = ({ status }: InvoiceRecord) => status === 'open' || status === 'uncollectible'
const sumOf = (invoice: InvoiceRecord) => formatAmount(invoice.amount_remaining, invoice.currency)

/** The payment intent while it waits for the bank. */
function waiting({ ctx }: PageRequest, invoice: InvoiceRecord): PaymentIntentRecord | undefined {
  const intent = intentOf(ctx, invoice)
  return isPayable(invoice) && intent?.status === 'requires_action' ? intent : undefined
}

function savedForm(request: PageRequest, invoice: InvoiceRecord): Html | null {
  const saved = methodFor(request.ctx, invoice)
  if (saved === undefined) return null
  if (waiting(request, invoice)?.payment_method === saved.id) {
    return html`<p>Your bank asks you to confirm this payment.</p>
      <p>
        <a class="button" href="/i/${invoice._secret}/authenticate">Confirm with ${methodWords(saved)}</a>
      </p>`
  }
  return html`<form method="post" action="/i/${invoice._secret}">
    <button class="wide" name="method" value="${saved.id}">Pay with ${methodWords(saved)}</button>
  </form>`
}

function cardForm(invoice: InvoiceRecord): Html {
  return html`<form method="post" action="/i/${invoice._secret}">
    ${cardFields(invoice.customer_name)}
    <button class="wide" type="submit">Pay ${sumOf(invoice)}</button>
  </form>`
}

/** After a refusal the form for another card is open: that is what helps. */
function payForms(request: PageRequest, invoice: InvoiceRecord, isRefused: boolean): Html {
  if (intentOf(request.ctx, invoice)?.status === 'processing')
    return html`<p class="done">Your payment is on its way. Bank debits take some days.</p>`
  if (invoice.status === 'paid') return html`<p class="done">This invoice is paid. Thank you.</p>`
  if (!isPayable(invoice)) return html`<p>This invoice is ${invoice.status}.</p>`
  const saved = savedForm(request, invoice)
  if (saved === null) return cardForm(invoice)
  return html`${saved}
    <div class="actions after">
      <details ${isRefused ? html`open` : null}>
        <summary>Pay with another card</summary>
        ${cardForm(invoice)}
      </details>
    </div>`
}

function show(request: PageRequest, invoice: InvoiceRecord, error: string | null): void {
  const due = invoice.due_date === null ? null : html` · due ${dateText(invoice.due_date)}`
  const body = html`<section>
      <h1>Invoice ${invoice.number ?? ''} <span class="badge ${invoice.status}">${invoice.status}</span></h1>
      <p class="soft">
        ${invoice.customer_name ?? invoice.customer_email ?? ''} · issued
        ${dateText(invoice.status_transitions.finalized_at)}${due}
      </p>
      ${linesTable(request.ctx, invoice)}
      <div class="actions after"><a href="/i/${invoice._secret}/pdf">Download PDF</a></div>
    </section>
    <aside>
      <p class="sum">
        ${isPayable(invoice) ? sumOf(invoice) : formatAmount(invoice.total, invoice.currency)}
      </p>
      ${problem(error)}${payForms(request, invoice, error !== null)}
    </aside>`
  const page = document(`Invoice ${invoice.number ?? ''}`, body, { layout: 'two' })
  sendHtml(request.response, error === null ? 200 : 402, page)
}

const current = ({ ctx }: PageRequest, invoice: InvoiceRecord) =>
  ctx.store.get('invoices', invoice.id) ?? invoice

/** Pays with the saved method or a new card; 3-D Secure leads to the bank's page. */
function pay(request: PageRequest, invoice: InvoiceRecord): void {
  const { ctx, form } = request
  const saved = methodFor(ctx, invoice)
  const refusal = tryOnPage(ctx, () => {
    const isSaved = saved !== undefined && fieldOf(form, 'method') === saved.id
    const method = isSaved ? saved : methodOfForm(ctx, form, invoice.customer_email)
    const { refusal: refused } = attemptPayment(ctx, invoice, 'customer', method)
    if (refused !== null) throw refused
  })
  request.changed()
  const after = current(request, invoice)
  if (refusal?.body.code === 'invoice_payment_intent_requires_action')
    redirect(request.response, `/i/${invoice._secret}/authenticate`)
  else if (refusal === null) redirect(request.response, `/i/${invoice._secret}`)
  else show(request, after, refusal.message)
}

function authenticate(request: PageRequest, invoice: InvoiceRecord): void {
  const { ctx, form } = request
  const intent = waiting(request, invoice)
  if (intent === undefined) return redirect(request.response, `/i/${invoice._secret}`)
  const outcome = fieldOf(form, 'outcome')
  if (request.method !== 'POST' || outcome === '') {
    const method = ctx.store.get('paymentMethods', intent.payment_method ?? '')
    return sendHtml(request.response, 200, authenticationPage(method, sumOf(invoice)))
  }
  const attempt = ctx.store.transact(() => completeAuthentication(ctx, intent, outcome === 'complete'))
  request.changed()
  if (attempt?.refusal == null) return redirect(request.response, `/i/${invoice._secret}`)
  const words = outcome === 'complete' ? attempt.refusal.message : AUTHENTICATION_FAILED
  show(request, current(request, invoice), words)
}

/** `/i/<secret>`: the hosted invoice page; POST pays; `/pdf` is the document, `/authenticate` the bank. */
export function invoicePage(request: PageRequest): void {
  const [, , secret, part] = request.url.pathname.split('/')
  const invoices = request.ctx.store.newestFirst('invoices')
  const invoice = [...invoices].find((candidate) => candidate._secret === secret)
  if (secret === undefined || invoice === undefined)
    return sendHtml(request.response, 404, notFound('No such invoice'))
  if (part === 'pdf') {
    const pdf = pdfOf(pdfLines(request.ctx, invoice))
    sendPdf(request.response, `Invoice-${invoice.number ?? invoice.id}.pdf`, pdf)
  } else if (part === 'authenticate') authenticate(request, invoice)
  else if (request.method === 'POST' && isPayable(invoice)) pay(request, invoice)
  else show(request, invoice, null)
}
