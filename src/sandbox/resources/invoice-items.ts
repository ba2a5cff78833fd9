import type { Context } from '../context.ts'
import { noSuch, refuse } from '../errors.ts'
import { emit } from '../events.ts'
import { changeItems } from '../invoices/edit.ts'
import { addItem, editItem, itemShape } from '../invoices/items.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import { boolean, currencyCode, isInRange, missing, page, text, timeRange } from '../params.ts'
import { present } from '../present.ts'
import { requireCustomer, requireRecord, requireSubscription } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { InvoiceItemRecord, InvoiceRecord } from '../records.ts'

const createShape = {
  ...itemShape,
  currency: currencyCode,
  customer: text(),
  invoice: text(),
  subscription: text(),
}

/** A subscription's own lines are kept beside the items, and are none. */
function itemAt(ctx: Context, path: readonly string[]): InvoiceItemRecord {
  const item = requireRecord(ctx, ['invoiceItems', idOf(path)])
  if (item._subscriptionItem !== undefined) throw noSuch('invoiceitem', item.id)
  return item
}

/** Runs the change, and where the item is on an invoice, announces the invoice as changed. */
function within(ctx: Context, invoice: InvoiceRecord | null, change: () => void): void {
  if (invoice === null) change()
  else changeItems(ctx, invoice, change)
}

function create(ctx: Context, values: Values<typeof createShape>): object {
  const {
    currency,
    customer: customerId,
    invoice: invoiceId,
    subscription: subscriptionId,
    ...input
  } = values
  const invoice = invoiceId ? requireRecord(ctx, ['invoices', invoiceId], 'invoice') : null
  const ownerId = customerId ?? invoice?.customer
  if (!ownerId) throw missing('customer')
  const customer = requireCustomer(ctx, ownerId, 'customer')
  if (invoice !== null && invoice.customer !== customer.id)
    throw refuse('The invoice does not belong to this customer.', { param: 'invoice' })
  const subscription = subscriptionId ? requireSubscription(ctx, customer, subscriptionId) : null
  const unit =
    currency ?? invoice?.currency ?? subscription?.currency ?? input.price_data?.currency ?? customer.currency
  if (!unit) throw missing('currency')
  if (invoice !== null && invoice.currency !== unit) {
    throw refuse(`Invoice items must have the currency of their invoice: ${invoice.currency}.`, {
      param: 'currency',
    })
  }
  const of = subscription === null ? {} : { subscription: subscription.id }
  const created: InvoiceItemRecord[] = []
  within(ctx, invoice, () => {
    created.push(addItem(ctx, input, { customer, invoice, currency: unit, path: '', ...of }))
  })
  const [item] = created
  if (item === undefined) throw new Error('no item was made')
  emit(ctx, 'invoiceitem.created', ['invoiceItems', item])
  return present(ctx, 'invoiceItems', item)
}

const targetOf = (ctx: Context, item: InvoiceItemRecord) => ({
  customer: requireCustomer(ctx, item.customer),
  invoice: item.invoice === null ? null : requireRecord(ctx, ['invoices', item.invoice]),
  currency: item.currency,
  path: '',
})

function edit(ctx: Context, values: Values<typeof itemShape>, path: readonly string[]): object {
  const item = itemAt(ctx, path)
  const target = targetOf(ctx, item)
  within(ctx, target.invoice, () => editItem(ctx, item, [values, target]))
  return present(ctx, 'invoiceItems', itemAt(ctx, path))
}

function remove(ctx: Context, _values: object, path: readonly string[]): object {
  const item = itemAt(ctx, path)
  within(ctx, targetOf(ctx, item).invoice, () => ctx.store.remove('invoiceItems', item.id))
  emit(ctx, 'invoiceitem.deleted', ['invoiceItems', item])
  return { id: item.id, object: 'invoiceitem', deleted: true }
}

const listShape = { ...page, created: timeRange, customer: text(), invoice: text(), pending: boolean }

function listItems(ctx: Context, values: Values<typeof listShape>): object {
  const { customer, invoice, pending, created } = values
  const filter = (item: InvoiceItemRecord) =>
    item._subscriptionItem === undefined &&
    (!invoice || item.invoice === invoice) &&
    (!customer || item.customer === customer) &&
    (pending === undefined || (item.invoice === null) === pending) &&
    isInRange(item.date, created)
  return listPage(
    ctx,
    { table: 'invoiceItems', kind: 'invoiceitem', url: '/v1/invoiceitems', filter },
    values,
  )
}

export const invoiceItemRoutes = [
  route('POST', '/v1/invoiceitems', [createShape, create]),
  route('GET', '/v1/invoiceitems', [listShape, listItems]),
  route('GET', '/v1/invoiceitems/:id', [
    {},
    (ctx, _values, path) => present(ctx, 'invoiceItems', itemAt(ctx, path)),
  ]),
  route('POST', '/v1/invoiceitems/:id', [itemShape, edit]),
  route('DELETE', '/v1/invoiceitems/:id', [{}, remove]),
]
