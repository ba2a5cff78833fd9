import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { announce, emit, update } from '../events.ts'
import type { Values } from '../params.ts'
import {
  boolean,
  clearable,
  currencyCode,
  hash,
  integer,
  list,
  mergeMetadata,
  metadata,
  missing,
  oneOf,
  required,
  text,
  unbuilt,
} from '../params.ts'
import { present } from '../present.ts'
import { requireCustomer, requireRecord, requireSubscription } from '../require.ts'
import { requireTaxActive } from '../resources/tax-settings.ts'
import type { InvoiceItemRecord, InvoiceRecord } from '../records.ts'
import {
  automaticTax,
  blank,
  subscriptionOfItem,
  subscriptionParent,
  sweepPending,
  withSchedule,
} from './drafts.ts'
import { withTotals } from './totals.ts'

const DAY = 86_400

const editable = {
  auto_advance: boolean,
  automatic_tax: hash({ enabled: required(boolean), liability: unbuilt }),
  automatically_finalizes_at: clearable(integer(0)),
  collection_method: oneOf('charge_automatically', 'send_invoice'),
  custom_fields: list(required(hash({ name: required(text(40)), value: required(text(140)) })), 4),
  days_until_due: integer(0),
  default_payment_method: text(),
  default_tax_rates: list(required(text())),
  description: text(1500),
  discounts: list(unbuilt),
  due_date: integer(0),
  effective_at: clearable(integer(0)),
  footer: text(5000),
  metadata,
  number: text(26),
  payment_settings: hash({
    default_mandate: text(),
    payment_method_options: unbuilt,
    payment_method_types: list(required(text())),
  }),
  rendering: unbuilt,
  statement_descriptor: text(22),
  account_tax_ids: unbuilt,
  application_fee_amount: unbuilt,
  default_source: unbuilt,
  issuer: hash({ type: required(oneOf('self')) }),
  on_behalf_of: unbuilt,
  shipping_cost: unbuilt,
  shipping_details: unbuilt,
  transfer_data: unbuilt,
}
export const createShape = {
  ...editable,
  customer: text(),
  currency: currencyCode,
  pending_invoice_items_behavior: oneOf('exclude', 'include'),
  subscription: text(),
  from_invoice: unbuilt,
}
export const updateShape = editable
type Edit = Values<typeof editable>

/** What a finalized invoice still takes [stripe docs: update an invoice]; the rest is refused. */
const openEditable = new Set([
  'auto_advance',
  'metadata',
  'default_payment_method',
  'payment_settings',
  'automatically_finalizes_at',
])

function checkReferences(ctx: Context, invoice: InvoiceRecord, edit: Edit): void {
  const { default_payment_method: method, default_tax_rates: rates } = edit
  if (method) {
    const found = requireRecord(ctx, ['paymentMethods', method], 'default_payment_method')
    if (found.customer !== invoice.customer) {
      const message = `The customer does not have a payment method with the ID ${method}. The payment method must be attached to the customer.`
      throw refuse(message, { code: 'resource_missing', param: 'default_payment_method' })
    }
  }
  for (const [index, rate] of (rates ?? []).entries())
    requireRecord(ctx, ['taxRates', rate], `default_tax_rates[${index}]`)
}

/** `due_date` of an e-mailed invoice; one or the other must be given. */
function withDueDate(invoice: InvoiceRecord, edit: Edit): InvoiceRecord {
  const { due_date: dueDate, days_until_due: days } = edit
  if (invoice.collection_method !== 'send_invoice') {
    if (dueDate !== undefined || days !== undefined) {
      const param = dueDate === undefined ? 'days_until_due' : 'due_date'
      throw refuse(`You can only set '${param}' if collection method is 'send_invoice'.`, { param })
    }
    return { ...invoice, due_date: null, _daysUntilDue: null }
  }
  if (dueDate !== undefined && days !== undefined) {
    throw refuse('You may only specify one of these parameters: due_date, days_until_due.', {
      param: 'due_date',
    })
  }
  if (dueDate !== undefined) return { ...invoice, due_date: dueDate, _daysUntilDue: null }
  if (days !== undefined) return { ...invoice, due_date: invoice.created + days * DAY, _daysUntilDue: days }
  if (invoice.due_date !== null) return invoice
  throw refuse(
    "If invoice collection method is 'send_invoice', you must specify 'due_date' or 'days_until_due'.",
  )
}

function withEdit(invoice: InvoiceRecord, edit: Edit): InvoiceRecord {
  const plain = {
    auto_advance: edit.auto_advance,
    collection_method: edit.collection_method,
    custom_fields: edit.custom_fields as InvoiceRecord['custom_fields'] | undefined,
    default_payment_method: edit.default_payment_method,
    default_tax_rates: edit.default_tax_rates === null ? [] : edit.default_tax_rates,
    description: edit.description,
    effective_at: edit.effective_at,
    footer: edit.footer,
    number: edit.number,
    statement_descriptor: edit.statement_descriptor,
  }
  const given = Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined))
  const enabled = edit.automatic_tax?.enabled
  const settings = edit.payment_settings as Partial<InvoiceRecord['payment_settings']> | null | undefined
  const changed: InvoiceRecord = {
    ...invoice,
    ...given,
    ...(settings ? { payment_settings: { ...invoice.payment_settings, ...settings } } : {}),
    ...(enabled === undefined ? {} : { automatic_tax: automaticTax(enabled) }),
    metadata: mergeMetadata(invoice.metadata, edit.metadata),
  }
  const scheduled = edit.auto_advance !== undefined || edit.automatically_finalizes_at !== undefined
  return scheduled ? withSchedule(changed, edit.automatically_finalizes_at) : changed
}

/** Creates a draft. */
export function createInvoice(ctx: Context, values: Values<typeof createShape>): InvoiceRecord {
  const {
    customer: customerId,
    currency,
    pending_invoice_items_behavior: pending,
    subscription: subscriptionId,
    from_invoice: _f,
    ...edit
  } = values
  if (!customerId) throw missing('customer')
  const customer = requireCustomer(ctx, customerId, 'customer')
  const subscription = subscriptionId ? requireSubscription(ctx, customer, subscriptionId) : null
  const unit = currency ?? subscription?.currency ?? customer.currency ?? 'usd'
  const blankDraft = blank(ctx, customer, unit)
  const draft =
    subscription === null
      ? blankDraft
      : { ...blankDraft, parent: subscriptionParent(subscription.id, subscription.metadata) }
  checkReferences(ctx, draft, edit)
  requireTaxActive(ctx, edit.automatic_tax?.enabled)
  const edited = withDueDate(withEdit(draft, edit), edit)
  ctx.store.put('invoices', edited)
  // Of a subscription's invoice the sweep is the purpose: it takes that subscription's items and no others.
  if (subscription !== null && pending !== 'exclude')
    sweepPending(ctx, edited, (item) => subscriptionOfItem(item) === subscription.id)
  else if (subscription === null && pending === 'include') sweepPending(ctx, edited)
  const invoice = ctx.store.put('invoices', withTotals(ctx, edited))
  if (customer.currency === null)
    update(ctx, 'customer.updated', ['customers', { ...customer, currency: invoice.currency }])
  emit(ctx, 'invoice.created', ['invoices', invoice])
  return invoice
}

/** Updates a draft; of a finalized invoice only what does not change its content. */
export function updateInvoice(ctx: Context, invoice: InvoiceRecord, edit: Edit): InvoiceRecord {
  if (invoice.status !== 'draft' && Object.keys(edit).some((name) => !openEditable.has(name))) {
    throw refuse("Finalized invoices can't be updated in this way", { code: 'invoice_not_editable' })
  }
  checkReferences(ctx, invoice, edit)
  requireTaxActive(ctx, edit.automatic_tax?.enabled)
  const edited = withEdit(invoice, edit)
  if (invoice.status !== 'draft') return update(ctx, 'invoice.updated', ['invoices', edited])
  const touched = edit.collection_method ?? edit.due_date ?? edit.days_until_due
  const dated = touched === undefined ? edited : withDueDate(edited, edit)
  return update(ctx, 'invoice.updated', ['invoices', withTotals(ctx, dated)])
}

/** Applies a change to an invoice's items and announces the invoice as changed. */
export function changeItems(ctx: Context, invoice: InvoiceRecord, change: () => void): InvoiceRecord {
  requireEditable(invoice)
  const before = present(ctx, 'invoices', invoice)
  change()
  const after = ctx.store.put('invoices', withTotals(ctx, invoice))
  return announce(ctx, 'invoice.updated', { table: 'invoices', before, after })
}

/** Deletes a draft with its items; swept items do not return to pending [recorded traffic: stripe_world]. */
export function deleteDraft(
  ctx: Context,
  invoice: InvoiceRecord,
  items: readonly InvoiceItemRecord[],
): object {
  if (invoice.status !== 'draft') throw refuse('You can only delete draft invoices.')
  if (invoice.billing_reason !== 'manual') throw refuse("You can't delete invoices created by subscriptions.")
  emit(ctx, 'invoice.deleted', ['invoices', invoice])
  for (const item of items) ctx.store.remove('invoiceItems', item.id)
  ctx.store.remove('invoices', invoice.id)
  return { id: invoice.id, object: 'invoice', deleted: true }
}

/** 400 unless a draft. */
export function requireEditable(invoice: InvoiceRecord): void {
  if (invoice.status === 'draft') return
  throw refuse('Invalid invoice: This invoice is no longer editable', {
    code: 'invoice_not_editable',
    param: 'invoice',
  })
}
