import type { Context } from '../context.ts'
import { refuse, StripeRefusal } from '../errors.ts'
import { emit } from '../events.ts'
import { listPage } from '../lists.ts'
import type { Shape, Values } from '../params.ts'
import { boolean, isInRange, oneOf, page, text, timeRange, unbuilt } from '../params.ts'
import { present } from '../present.ts'
import { requireRecord } from '../require.ts'
import { resolveMethod } from '../resources/payment-methods.ts'
import { idOf, route } from '../route.ts'
import type { InvoiceRecord } from '../records.ts'
import { attemptPayment } from './collect.ts'
import { subscriptionOfInvoice } from './drafts.ts'
import { createInvoice, createShape, deleteDraft, updateInvoice, updateShape } from './edit.ts'
import { finalize } from './finalize.ts'
import { itemsOf } from './lines.ts'
import { markUncollectible, notOpen, settle, voidInvoice } from './settle.ts'
import { withTotals } from './totals.ts'

const invoiceAt = (ctx: Context, path: readonly string[]) => requireRecord(ctx, ['invoices', idOf(path)])
const show = (ctx: Context, invoice: InvoiceRecord) =>
  present(ctx, 'invoices', ctx.store.get('invoices', invoice.id) ?? invoice)

const payShape = {
  forgive: boolean,
  off_session: boolean,
  paid_out_of_band: boolean,
  payment_method: text(),
  mandate: unbuilt,
  source: unbuilt,
}

/** Pays now; a draft is finalized first, in the same call [recorded traffic: stripe_world]. */
function pay(ctx: Context, values: Values<typeof payShape>, path: readonly string[]): object {
  const found = invoiceAt(ctx, path)
  if (found.status === 'paid') throw refuse('Invoice is already paid')
  if (found.status === 'void') throw notOpen()
  const method = values.payment_method
    ? resolveMethod(ctx, values.payment_method, 'payment_method')
    : undefined
  // A token stands for a new one; what was detached is refused as one of nobody.
  if (method !== undefined && method.customer === null && method.id === values.payment_method) {
    const message = `The customer does not have a payment method with the ID ${method.id}. The payment method must be attached to the customer.`
    throw refuse(message, { code: 'resource_missing', param: 'payment_method' })
  }
  if (method !== undefined && method.customer !== null && method.customer !== found.customer) {
    throw refuse('The payment method does not belong to the customer of this invoice.', {
      param: 'payment_method',
    })
  }
  const invoice = found.status === 'draft' ? finalize(ctx, found, found.auto_advance === true) : found
  if (invoice.status === 'paid') return show(ctx, invoice)
  if (values.paid_out_of_band === true) return show(ctx, settle(ctx, invoice, 'out_of_band'))
  const { invoice: after, refusal } = attemptPayment(ctx, invoice, 'api', method)
  if (refusal !== null) throw refusal
  return show(ctx, after)
}

/** Sends by e-mail (nothing is sent); a draft is finalized first. */
function send(ctx: Context, _values: object, path: readonly string[]): object {
  const found = invoiceAt(ctx, path)
  if (found.collection_method !== 'send_invoice') {
    throw refuse("You can only manually send an invoice if its collection method is 'send_invoice'.")
  }
  if (found.status !== 'draft' && found.status !== 'open' && found.status !== 'uncollectible') throw notOpen()
  const invoice = found.status === 'draft' ? finalize(ctx, found, found.auto_advance === true) : found
  emit(ctx, 'invoice.sent', ['invoices', invoice])
  return show(ctx, invoice)
}

const listShape = {
  ...page,
  collection_method: oneOf('charge_automatically', 'send_invoice'),
  created: timeRange,
  customer: text(),
  due_date: timeRange,
  status: oneOf('draft', 'open', 'paid', 'uncollectible', 'void'),
  subscription: text(),
}

function listInvoices(ctx: Context, values: Values<typeof listShape>): object {
  const { status, customer, created, due_date: due, collection_method: method, subscription } = values
  if (customer) requireRecord(ctx, ['customers', customer], 'customer')
  const filter = (invoice: InvoiceRecord) =>
    (status === undefined || invoice.status === status) &&
    (method === undefined || invoice.collection_method === method) &&
    (!subscription || subscriptionOfInvoice(invoice) === subscription) &&
    isInRange(invoice.created, created) &&
    (due === undefined || (invoice.due_date !== null && isInRange(invoice.due_date, due)))
  const among = customer ? { among: ctx.store.by('invoices', 'customer', customer) } : {}
  return listPage(ctx, { table: 'invoices', kind: 'invoice', url: '/v1/invoices', filter, ...among }, values)
}

/** Drafts follow the customer's balance and address until they are issued. */
function retrieve(ctx: Context, _values: object, path: readonly string[]): object {
  const invoice = invoiceAt(ctx, path)
  return present(ctx, 'invoices', invoice.status === 'draft' ? withTotals(ctx, invoice) : invoice)
}

function attachPayment(): object {
  throw new StripeRefusal(501, {
    type: 'api_error',
    message: 'The local sandbox does not implement attach_payment.',
  })
}

const action = (name: string, perform: (ctx: Context, invoice: InvoiceRecord) => InvoiceRecord) =>
  route('POST', `/v1/invoices/:id/${name}`, [
    {},
    (ctx, _values, path) => show(ctx, perform(ctx, invoiceAt(ctx, path))),
  ])

const anything: Shape = { payment_intent: text(), payment_record: text() }

export const invoiceRoutes = [
  route('POST', '/v1/invoices', [createShape, (ctx, values) => show(ctx, createInvoice(ctx, values))]),
  route('GET', '/v1/invoices', [listShape, listInvoices]),
  route('GET', '/v1/invoices/:id', [{}, retrieve]),
  route('POST', '/v1/invoices/:id', [
    updateShape,
    (ctx, values, path) => show(ctx, updateInvoice(ctx, invoiceAt(ctx, path), values)),
  ]),
  route('DELETE', '/v1/invoices/:id', [
    {},
    (ctx, _values, path) => {
      const invoice = invoiceAt(ctx, path)
      return deleteDraft(ctx, invoice, itemsOf(ctx, invoice))
    },
  ]),
  route('POST', '/v1/invoices/:id/finalize', [
    { auto_advance: boolean },
    (ctx, values, path) => {
      const invoice = invoiceAt(ctx, path)
      return show(ctx, finalize(ctx, invoice, values.auto_advance ?? invoice.auto_advance === true))
    },
  ]),
  route('POST', '/v1/invoices/:id/pay', [payShape, pay]),
  route('POST', '/v1/invoices/:id/send', [{}, send]),
  route('POST', '/v1/invoices/:id/attach_payment', [anything, attachPayment]),
  action('void', voidInvoice),
  action('mark_uncollectible', markUncollectible),
]
