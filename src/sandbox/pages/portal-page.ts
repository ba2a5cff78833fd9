import { formatAmount } from '../currencies.ts'
import { update } from '../events.ts'
import { fieldOf, redirect, sendHtml } from '../http.ts'
import { attach, createFromCard, requireTestCard } from '../resources/payment-methods.ts'
import type { CustomerRecord, PortalSessionRecord } from '../tables.ts'
import { tryOnPage } from './checkout-page.ts'
import { cardField, document, html } from './html.ts'
import type { PageRequest } from './pages.ts'

function show(
  request: PageRequest,
  [session, customer]: readonly [PortalSessionRecord, CustomerRecord],
  error: string | null,
): void {
  const { ctx } = request
  const id = customer.invoice_settings.default_payment_method as string | null
  const card = id === null ? undefined : ctx.store.get('paymentMethods', id)?.card
  const problem = error === null ? null : html`<p class="error" role="alert">${error}</p>`
  const invoices = ctx.store
    .by('invoices', 'customer', customer.id)
    .filter((invoice) => invoice.status !== 'draft')
    .toReversed()
    .map(
      (i) =>
        html`<tr>
          <td><a href="${i.hosted_invoice_url ?? ''}">${i.number ?? i.id}</a> ${i.status}</td>
          <td>${formatAmount(i.total, i.currency)}</td>
        </tr>`,
    )
  const back = session.return_url === null ? null : html`<p><a href="${session.return_url}">Return</a></p>`
  const current =
    card === undefined ? 'No card yet.' : `Current card: ${card?.brand ?? ''} ending in ${card?.last4 ?? ''}`
  const body = html`<h1>Billing</h1>
    ${problem}
    <h2>Payment method</h2>
    <p>${current}</p>
    <form method="post">${cardField}<button type="submit">Use this card</button></form>
    <h2>Invoices</h2>
    <table>
      ${invoices}
    </table>
    ${back}`
  sendHtml(request.response, error === null ? 200 : 402, document('Billing', body))
}

/** `/p/<secret>`: the portal; a new card is attached and becomes the default. */
export function portalPage(request: PageRequest): void {
  const { ctx, url, form, response } = request
  const address = `${url.origin}${url.pathname}`
  const session = [...ctx.store.newestFirst('portalSessions')].find((candidate) => candidate.url === address)
  const customer = session === undefined ? undefined : ctx.store.get('customers', session.customer)
  if (session === undefined || customer === undefined || customer._deleted) {
    return sendHtml(response, 404, document('Not found', html`<h1>No such session</h1>`))
  }
  if (request.method !== 'POST') return show(request, [session, customer], null)
  const refusal = tryOnPage(ctx, () => {
    const { id } = createFromCard(ctx, requireTestCard(fieldOf(form, 'card')))
    attach(ctx, id, customer.id)
    const invoice_settings = { ...customer.invoice_settings, default_payment_method: id }
    update(ctx, 'customer.updated', ['customers', { ...customer, invoice_settings }])
  })
  request.changed()
  if (refusal !== null) return show(request, [session, customer], refusal.message)
  const after = session.flow?.after_completion.redirect?.return_url
  redirect(response, after ?? address)
}
