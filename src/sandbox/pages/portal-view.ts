import type { Context } from '../context.ts'
import { formatAmount } from '../currencies.ts'
import { taxIdsOf } from '../resources/tax-ids.ts'
import type { CustomerRecord, PortalConfigurationRecord, PortalSessionRecord } from '../records.ts'
import { addressFields, cardFields, field } from './fields.ts'
import type { Html } from './html.ts'
import { html } from './html.ts'
import { dateText } from './invoice-view.ts'
import { methodWords } from './words.ts'

/** Whose portal it is, and what it may show. */
export interface Portal {
  readonly ctx: Context
  readonly session: PortalSessionRecord
  readonly customer: CustomerRecord
  readonly features: PortalConfigurationRecord['features']
  /** What was just refused: its form stays open. */
  readonly refused: string | null
}

/** A form that posts one action to the portal. */
function actionForm(label: string, [action, id]: readonly [string, string]): Html {
  return html`<form class="inline" method="post">
    <input type="hidden" name="payment_method" value="${id}" />
    <button class="plain" name="action" value="${action}">${label}</button>
  </form>`
}

function methodsList({ ctx, customer }: Portal): Html {
  const selected = customer.invoice_settings.default_payment_method
  const methods = ctx.store.by('paymentMethods', 'customer', customer.id)
  if (methods.length === 0) return html`<p class="soft">No payment method yet.</p>`
  const items = methods.map((method) => {
    const { id, card } = method
    const expiry = card ? `expires ${card.exp_month}/${card.exp_year}` : ''
    const isDefault = id === selected
    return html`<li>
      <span>${methodWords(method)} <span class="soft small together">${expiry}</span></span>
      ${isDefault ? html`<span class="badge default">Default</span>` : null}
      <span class="actions"
        >${isDefault ? null : actionForm('Make default', ['make_default', id])}
        ${actionForm('Remove', ['remove', id])}</span
      >
    </li>`
  })
  return html`<ul class="methods">
    ${items}
  </ul>`
}

/** The form for another card, which becomes the default. */
export function newCard({ customer }: Portal): Html {
  return html`<form method="post">
    ${cardFields(customer.name)}
    <button name="action" value="add_card">Add card</button>
  </form>`
}

export function methodsSection(portal: Portal): Html {
  return html`<section class="card">
    <h2>Payment methods</h2>
    ${methodsList(portal)}
    <details ${portal.refused === 'add_card' ? html`open` : null}>
      <summary>Add a card</summary>
      ${newCard(portal)}
    </details>
  </section>`
}

/** What of the customer may be changed: `email`, `name`, `address`, `tax_id`. */
export function detailsForm({ ctx, customer, features }: Portal): Html {
  const allowed = new Set<string>(features.customer_update.allowed_updates)
  const [taxId] = taxIdsOf(ctx, customer.id)
  const email = field('email', 'Email', { value: customer.email, type: 'email', autocomplete: 'email' })
  const name = field('customer_name', 'Name', { value: customer.name, autocomplete: 'name' })
  const tax = field('tax_id', 'Tax ID', { value: taxId?.value, required: false, placeholder: 'DE123456789' })
  return html`<form method="post">
    <fieldset>${allowed.has('name') ? name : null} ${allowed.has('email') ? email : null}</fieldset>
    ${allowed.has('address') ? addressFields(customer.address) : null}
    ${allowed.has('tax_id') ? html`<fieldset>${tax}</fieldset>` : null}
    <button name="action" value="update_customer">Save</button>
  </form>`
}

export function detailsSection(portal: Portal): Html {
  const { ctx, customer } = portal
  const { line1, line2, postal_code: postal, city, state, country } = customer.address ?? {}
  const place = [line1, line2, [postal, city].filter(Boolean).join(' '), state, country]
  const taxIds = taxIdsOf(ctx, customer.id).map(({ value }) => value)
  const facts = [customer.name, customer.email, ...place, ...taxIds].filter((fact) => fact)
  return html`<section class="card">
    <h2>Billing information</h2>
    <p>${facts.map((fact) => html`${fact ?? ''}<br />`)}</p>
    <details ${portal.refused === 'update_customer' ? html`open` : null}>
      <summary>Update information</summary>
      ${detailsForm(portal)}
    </details>
  </section>`
}

/** Every invoice that was issued, newest first. */
export function historySection({ ctx, customer }: Portal): Html {
  const rows = ctx.store
    .by('invoices', 'customer', customer.id)
    .filter((invoice) => invoice.status !== 'draft')
    .toReversed()
    .map(
      (invoice) =>
        html`<tr>
          <td>${dateText(invoice.effective_at ?? invoice.created)}</td>
          <td><a href="${invoice.hosted_invoice_url ?? ''}">${invoice.number ?? invoice.id}</a></td>
          <td><span class="badge ${invoice.status}">${invoice.status}</span></td>
          <td class="amount">${formatAmount(invoice.total, invoice.currency)}</td>
          <td class="amount"><a href="${invoice.invoice_pdf ?? ''}">PDF</a></td>
        </tr>`,
    )
  const table = html`<table class="history">
    <tr>
      <th>Date</th>
      <th>Invoice</th>
      <th>Status</th>
      <th class="amount">Amount</th>
      <th class="amount">Document</th>
    </tr>
    ${rows}
  </table>`
  return html`<section class="card">
    <h2>Invoice history</h2>
    ${rows.length === 0 ? html`<p class="soft">No invoices yet.</p>` : table}
  </section>`
}
