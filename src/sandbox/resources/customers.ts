import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { refuse } from '../errors.ts'
import { emit, update } from '../events.ts'
import { newId, newInvoicePrefix } from '../ids.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import {
  clearable,
  hash,
  integer,
  isInRange,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  page,
  required,
  text,
  timeRange,
  unbuilt,
} from '../params.ts'
import { present } from '../present.ts'
import { requireCustomer, requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import { hasEnded } from '../subscriptions/change.ts'
import { endSubscription } from '../subscriptions/end.ts'
import type { CustomerRecord } from '../records.ts'
import { attach } from './payment-methods.ts'
import { addTaxId } from './tax-ids.ts'

const addressShape = {
  city: text(),
  country: text(),
  line1: text(),
  line2: text(),
  postal_code: text(),
  state: text(),
}
const address = hash(addressShape)
const customField = hash({ name: required(text(40)), value: required(text(140)) })
const invoiceSettings = hash({
  default_payment_method: text(),
  custom_fields: list(required(customField), 4),
  footer: text(),
  rendering_options: unbuilt,
})
const editable = {
  address,
  balance: integer(),
  business_name: text(150),
  description: text(),
  email: text(512),
  individual_name: text(150),
  invoice_prefix: text(12),
  invoice_settings: invoiceSettings,
  metadata,
  name: text(256),
  next_invoice_sequence: integer(1),
  phone: text(20),
  preferred_locales: list(required(text())),
  shipping: hash({ address: required(address), name: required(text()), phone: text() }),
  tax: hash({ ip_address: text(), validate_location: oneOf('deferred', 'immediately', 'auto') }),
  tax_exempt: clearable(oneOf('none', 'exempt', 'reverse')),
  cash_balance: unbuilt,
  source: unbuilt,
}
const taxIdData = hash({ type: required(text()), value: required(text()) })
const creatable = {
  ...editable,
  payment_method: text(),
  test_clock: text(),
  tax_id_data: list(required(taxIdData)),
}
const updatable = { ...editable, default_source: unbuilt }
type Edit = Values<typeof editable>

function readAddress(value: Values<typeof addressShape> | null): CustomerRecord['address'] {
  if (value === null) return null
  const { city = null, country = null, line1 = null, line2 = null, postal_code = null, state = null } = value
  return { city, country, line1, line2, postal_code, state }
}

/** A default payment method must already be attached to the customer. */
function checkDefault(ctx: Context, customer: CustomerRecord, id: string | null | undefined): void {
  if (id === null || id === undefined) return
  const param = 'invoice_settings[default_payment_method]'
  const method = requireRecord(ctx, ['paymentMethods', id], param)
  if (method.customer !== customer.id) {
    throw refuse(
      'The customer does not have a payment method with the ID ' +
        `${id}. The payment method must be attached to the customer.`,
      { code: 'resource_missing', param },
    )
  }
}

function withSettings(
  customer: CustomerRecord,
  patch: Edit['invoice_settings'],
): CustomerRecord['invoice_settings'] {
  const settings = customer.invoice_settings
  if (patch === undefined) return settings
  if (patch === null) return { ...settings, default_payment_method: null, custom_fields: null, footer: null }
  return {
    ...settings,
    ...(patch.default_payment_method === undefined
      ? {}
      : { default_payment_method: patch.default_payment_method }),
    ...(patch.footer === undefined ? {} : { footer: patch.footer }),
    ...(patch.custom_fields === undefined ? {} : { custom_fields: patch.custom_fields as never }),
  }
}

/** `tax.automatic_tax` follows from the country alone here. */
function withEdit(customer: CustomerRecord, edit: Edit): CustomerRecord {
  const { address, metadata, invoice_settings, shipping, tax, tax_exempt, preferred_locales, ...plain } = edit
  const { cash_balance: _cash, source: _source, next_invoice_sequence, balance, ...texts } = plain
  const changed = {
    ...customer,
    ...texts,
    ...(address === undefined ? {} : { address: readAddress(address) }),
    ...(shipping === undefined
      ? {}
      : { shipping: shipping && { ...shipping, address: readAddress(shipping.address) } }),
    ...(preferred_locales === undefined ? {} : { preferred_locales: [...(preferred_locales ?? [])] }),
    ...(tax_exempt === undefined ? {} : { tax_exempt: tax_exempt ?? 'none' }),
    ...(next_invoice_sequence === undefined ? {} : { next_invoice_sequence }),
    ...(balance === undefined ? {} : { balance }),
    metadata: mergeMetadata(customer.metadata, metadata),
    invoice_settings: withSettings(customer, invoice_settings),
  } as CustomerRecord
  if (tax?.validate_location === 'immediately' && !changed.address?.country) throw taxLocationInvalid()
  return changed
}

/** 400 customer_tax_location_invalid [stripe docs: customer tax location]. */
export function taxLocationInvalid(): Error {
  return refuse(
    "The customer's location isn't recognized. Set a valid customer address in order to automatically calculate tax.",
    { code: 'customer_tax_location_invalid' },
  )
}

/** Keeps a new customer with its tax ids; `customer.created`. */
export function createCustomer(ctx: Context, values: Values<typeof creatable>): CustomerRecord {
  const { payment_method, test_clock, tax_id_data: taxIds, ...edit } = values
  if (test_clock) requireRecord(ctx, ['clocks', test_clock], 'test_clock')
  const blank: CustomerRecord = {
    id: newId('cus'),
    object: 'customer',
    address: null,
    balance: 0,
    created: timeOf(ctx, test_clock),
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: newInvoicePrefix(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: test_clock ?? null,
    _deleted: false,
  }
  ctx.store.put('customers', blank)
  const method = payment_method ? attach(ctx, payment_method, blank.id) : undefined
  const { invoice_settings: settings } = edit
  // A token or a method attached in the same call may become the default in it.
  const isSame = method !== undefined && settings?.default_payment_method === payment_method
  const resolved = isSame
    ? { ...edit, invoice_settings: { ...settings, default_payment_method: method.id } }
    : edit
  checkDefault(ctx, blank, resolved.invoice_settings?.default_payment_method)
  const customer = ctx.store.put('customers', withEdit(blank, resolved))
  emit(ctx, 'customer.created', ['customers', customer])
  for (const taxId of taxIds ?? []) addTaxId(ctx, customer, taxId)
  return customer
}

function edit(ctx: Context, values: Values<typeof updatable>, path: readonly string[]): object {
  const customer = requireCustomer(ctx, idOf(path))
  checkDefault(ctx, customer, values.invoice_settings?.default_payment_method)
  const { default_source: _source, ...editValues } = values
  const changed = update(ctx, 'customer.updated', ['customers', withEdit(customer, editValues)])
  return present(ctx, 'customers', changed)
}

/** Marks a customer deleted; payment methods are detached, subscriptions end, invoices stay [stripe docs: delete a customer]. */
export function deleteCustomer(ctx: Context, customer: CustomerRecord): void {
  emit(ctx, 'customer.deleted', ['customers', customer])
  for (const method of ctx.store.by('paymentMethods', 'customer', customer.id)) {
    ctx.store.put('paymentMethods', { ...method, customer: null })
  }
  for (const subscription of ctx.store.by('subscriptions', 'customer', customer.id))
    if (!hasEnded(subscription)) endSubscription(ctx, subscription, null)
  ctx.store.put('customers', { ...customer, _deleted: true })
}

function remove(ctx: Context, _values: object, path: readonly string[]): object {
  const customer = requireCustomer(ctx, idOf(path))
  deleteCustomer(ctx, customer)
  return { id: customer.id, object: 'customer', deleted: true }
}

const listShape = { ...page, created: timeRange, email: text(512), test_clock: text() }

function listCustomers(ctx: Context, values: Values<typeof listShape>): object {
  const { email, test_clock: clock, created } = values
  const filter = (c: CustomerRecord) =>
    !c._deleted &&
    (!email || c.email === email) &&
    // Customers on a clock are listed only when it is asked for [stripe docs: test clocks].
    (clock ? c.test_clock === clock : c.test_clock === null) &&
    isInRange(c.created, created)
  return listPage(ctx, { table: 'customers', kind: 'customer', url: '/v1/customers', filter }, values)
}

export const customerRoutes = [
  route('POST', '/v1/customers', [
    creatable,
    (ctx, values) => present(ctx, 'customers', createCustomer(ctx, values)),
  ]),
  route('GET', '/v1/customers', [listShape, listCustomers]),
  route('GET', '/v1/customers/:id', [
    {},
    (ctx, _values, path) => present(ctx, 'customers', requireRecord(ctx, ['customers', idOf(path)])),
  ]),
  route('POST', '/v1/customers/:id', [updatable, edit]),
  route('DELETE', '/v1/customers/:id', [{}, remove]),
]
