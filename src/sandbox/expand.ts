import { lineItemsOf } from './checkout/subscription-mode.ts'
import type { Context } from './context.ts'
import { refuse } from './errors.ts'
import { intentOf } from './invoices/payments.ts'
import { nestedList, present } from './present.ts'
import type { Table } from './tables.ts'

type Fields = Readonly<Record<string, unknown>>

/** What may be expanded, by object; a nested member is written with its path. */
const expandable: Readonly<Record<string, readonly string[]>> = {
  customer: ['default_source', 'test_clock', 'invoice_settings.default_payment_method'],
  payment_method: ['customer'],
  invoice: [
    'customer',
    'default_payment_method',
    'default_source',
    'test_clock',
    'latest_revision',
    'parent.subscription_details.subscription',
  ],
  invoiceitem: ['customer', 'invoice', 'test_clock'],
  invoice_payment: ['invoice', 'payment.payment_intent', 'payment.charge'],
  payment_intent: ['customer', 'payment_method', 'latest_charge', 'review', 'source'],
  charge: ['customer', 'payment_intent', 'balance_transaction', 'application', 'review'],
  setup_intent: ['customer', 'payment_method', 'latest_attempt', 'mandate', 'single_use_mandate'],
  'checkout.session': ['customer', 'setup_intent', 'payment_intent', 'invoice', 'subscription'],
  credit_note: ['customer', 'invoice', 'refund'],
  refund: ['charge', 'payment_intent', 'balance_transaction'],
  dispute: ['charge', 'payment_intent'],
  customer_balance_transaction: ['customer', 'invoice', 'credit_note'],
  subscription: [
    'customer',
    'default_payment_method',
    'default_source',
    'latest_invoice',
    'pending_setup_intent',
    'schedule',
    'test_clock',
  ],
  line_item: ['pricing.price_details.price'],
  price: ['product'],
  product: ['default_price', 'tax_code'],
  tax_rate: [],
}

/** Members that exist only when asked for. */
const includable: Readonly<Record<string, (ctx: Context, id: string) => unknown>> = {
  'invoice.payments': (ctx, id) => {
    const payments = ctx.store.by('invoicePayments', 'invoice', id).toReversed()
    return nestedList(
      '/v1/invoice_payments',
      payments.map((payment) => present(ctx, 'invoicePayments', payment)),
    )
  },
  'invoice.confirmation_secret': (ctx, id) => {
    const invoice = ctx.store.get('invoices', id)
    const intent = invoice && intentOf(ctx, invoice)
    return intent ? { client_secret: intent.client_secret, type: 'payment_intent' } : null
  },
  'charge.refunds': (ctx, id) => {
    const refunds = ctx.store.by('refunds', 'charge', id).map((refund) => present(ctx, 'refunds', refund))
    return nestedList(`/v1/charges/${id}/refunds`, refunds)
  },
  'checkout.session.line_items': (ctx, id) => {
    const session = ctx.store.get('sessions', id)
    return nestedList(
      `/v1/checkout/sessions/${id}/line_items`,
      session === undefined ? [] : lineItemsOf(ctx, session),
    )
  },
  'customer.sources': (_ctx, id) => nestedList(`/v1/customers/${id}/sources`, []),
  'customer.subscriptions': (ctx, id) => {
    const running = ctx.store.by('subscriptions', 'customer', id).filter((s) => s.ended_at === null)
    const shown = running.toReversed().map((s) => present(ctx, 'subscriptions', s))
    return nestedList(`/v1/customers/${id}/subscriptions`, shown)
  },
  'customer.tax_ids': (ctx, id) =>
    nestedList(
      `/v1/customers/${id}/tax_ids`,
      ctx.store.by('taxIds', 'customer', id).map((record) => present(ctx, 'taxIds', record)),
    ),
  'customer.tax': (ctx, id) => {
    const country = ctx.store.get('customers', id)?.address?.country
    const isKnown = country !== undefined && country !== null && country !== 'XX' && country !== 'ZZ'
    const status = isKnown ? 'supported' : 'unrecognized_location'
    return {
      automatic_tax: status,
      ip_address: null,
      location: isKnown ? { country, source: 'billing_address', state: null } : null,
    }
  },
}

const tablesByPrefix: Readonly<Record<string, Table>> = {
  cus: 'customers',
  pm: 'paymentMethods',
  in: 'invoices',
  ii: 'invoiceItems',
  pi: 'paymentIntents',
  ch: 'charges',
  clock: 'clocks',
  sub: 'subscriptions',
  seti: 'setupIntents',
  cs: 'sessions',
  cn: 'creditNotes',
  re: 'refunds',
  du: 'disputes',
  prod: 'products',
  price: 'prices',
}

/** [stripe docs: expanding responses] */
const MAX_DEPTH = 4

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function fetchById(ctx: Context, id: string): object | string {
  const table = tablesByPrefix[id.slice(0, id.indexOf('_'))]
  const record = table === undefined ? undefined : ctx.store.get(table, id)
  return table === undefined || record === undefined ? id : present(ctx, table, record)
}

interface Walk {
  readonly ctx: Context
  readonly full: string
  readonly object: string
  readonly id: string
  readonly relative: string
}

function expandValue(value: unknown, rest: readonly string[], walk: Walk): unknown {
  const { ctx, full, object, relative } = walk
  if (typeof value === 'string') {
    if (!expandable[object]?.includes(relative)) throw cannotExpand(full)
    const fetched = fetchById(ctx, value)
    return rest.length > 0 && isObject(fetched)
      ? expandOne(fetched, rest, { ...walk, relative: '' })
      : fetched
  }
  if (value === null || value === undefined) {
    const known = expandable[object]?.includes(relative)
    const nested = value === null && rest.length > 0
    if (!known && !nested) throw cannotExpand(full)
    return null
  }
  if (Array.isArray(value)) return value.map((element) => expandOne(element as Fields, rest, walk))
  if (!isObject(value)) throw cannotExpand(full)
  // A path that ends at something already whole, such as `lines`, asks for nothing more.
  return rest.length === 0 ? value : expandOne(value, rest, walk)
}

function expandOne(fields: unknown, path: readonly string[], walk: Walk): unknown {
  const [name, ...rest] = path
  if (name === undefined || !isObject(fields)) return fields
  const isOwnObject = typeof fields['object'] === 'string' && fields['object'] !== 'list'
  const object = isOwnObject ? (fields['object'] as string) : walk.object
  const id = isOwnObject && typeof fields['id'] === 'string' ? fields['id'] : walk.id
  const relative =
    isOwnObject || walk.relative === '' || fields['object'] === 'list' ? name : `${walk.relative}.${name}`
  const include = isOwnObject ? includable[`${object}.${name}`] : undefined
  const value = include === undefined ? fields[name] : include(walk.ctx, id)
  const next = { ...walk, object, id, relative }
  if (include !== undefined && rest.length === 0) return { ...fields, [name]: value }
  return { ...fields, [name]: expandValue(value, rest, next) }
}

function cannotExpand(path: string): Error {
  return refuse(`This property cannot be expanded (${path}).`, { param: 'expand' })
}

/** Replaces ids in a reply by their objects, at the paths asked for [stripe docs: expanding responses]. */
export function expandPaths(ctx: Context, body: object, paths: readonly string[]): object {
  let expanded: unknown = body
  for (const full of paths) {
    const path = full.split('.')
    const depth = path.filter((segment) => segment !== 'data').length
    if (depth > MAX_DEPTH)
      throw refuse('You cannot expand more than 4 levels of a property.', { param: 'expand' })
    expanded = expandOne(expanded, path, { ctx, full, object: '', id: '', relative: '' })
  }
  return expanded as object
}
