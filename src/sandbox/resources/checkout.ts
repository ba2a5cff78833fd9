import {
  lineItemsOf,
  newSubscriptionSession,
  refuseSubscriptionParameters,
  subscriptionShape,
} from '../checkout/subscription-mode.ts'
import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { emit } from '../events.ts'
import { newId, randomText } from '../ids.ts'
import { listPage, pageOf } from '../lists.ts'
import type { Values } from '../params.ts'
import {
  boolean,
  currencyCode,
  hash,
  integer,
  list,
  mergeMetadata,
  metadata,
  missing,
  oneOf,
  page,
  required,
  text,
  unbuilt,
} from '../params.ts'
import { strip } from '../present.ts'
import { requireCustomer, requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import { createSetup } from '../setup.ts'
import type { SessionRecord } from '../records.ts'

const HOUR = 3600
const customText = hash({ message: required(text(1200)) })
const createShape = {
  mode: oneOf('setup', 'payment', 'subscription'),
  currency: currencyCode,
  customer: text(),
  success_url: text(),
  cancel_url: text(),
  return_url: text(),
  ui_mode: oneOf('hosted_page', 'embedded_page', 'form', 'elements'),
  client_reference_id: text(200),
  customer_email: text(800),
  metadata,
  setup_intent_data: hash({ metadata, description: text(1000), on_behalf_of: unbuilt }),
  expires_at: integer(0),
  billing_address_collection: oneOf('auto', 'required'),
  locale: text(),
  customer_creation: oneOf('always', 'if_required'),
  customer_update: hash({
    address: oneOf('auto', 'never'),
    name: oneOf('auto', 'never'),
    shipping: oneOf('auto', 'never'),
  }),
  tax_id_collection: hash({ enabled: required(boolean), required: oneOf('if_supported', 'never') }),
  consent_collection: hash({
    payment_method_reuse_agreement: hash({ position: required(oneOf('auto', 'hidden')) }),
    promotions: oneOf('auto', 'none'),
    terms_of_service: oneOf('none', 'required'),
  }),
  custom_text: hash({
    after_submit: customText,
    shipping_address: customText,
    submit: customText,
    terms_of_service_acceptance: customText,
  }),
  allowed_payment_method_types: list(required(text())),
  redirect_on_completion: oneOf('always', 'if_required', 'never'),
  ...subscriptionShape,
}

/** Payment mode is out of the sandbox's scope; setup needs a currency when no method list is sent. */
function check(ctx: Context, values: Values<typeof createShape>): void {
  const {
    mode,
    currency,
    customer,
    ui_mode: ui = 'hosted_page',
    success_url: success,
    return_url: back,
  } = values
  if (mode === undefined) throw missing('mode')
  if (mode === 'payment')
    throw refuse('The local sandbox does not implement Checkout in payment mode.', {
      code: 'sandbox_not_implemented',
      param: 'mode',
    })
  // [types of the client]: required in setup mode when no method list is sent.
  if (mode === 'setup' && !currency && !values.allowed_payment_method_types) throw missing('currency')
  if (mode === 'setup') refuseSubscriptionParameters(values)
  if (customer) requireCustomer(ctx, customer, 'customer')
  else if (values.customer_update)
    throw refuse('`customer_update` can only be used with `customer`.', { param: 'customer_update' })
  if (customer && (values.customer_creation || values.customer_email)) {
    const other = values.customer_creation ? 'customer_creation' : 'customer_email'
    throw refuse(`You may only specify one of these parameters: customer, ${other}.`, { param: 'customer' })
  }
  if (ui === 'hosted_page' && !success) throw missing('success_url')
  const stays = ui === 'embedded_page' && values.redirect_on_completion === 'never'
  if ((ui === 'embedded_page' || ui === 'elements') && !back && !stays) throw missing('return_url')
  if (ui !== 'hosted_page' && success)
    throw refuse('`success_url` is not allowed with this `ui_mode`.', { param: 'success_url' })
  if (customer && values.tax_id_collection?.enabled && values.customer_update?.name !== 'auto') {
    throw refuse(
      'Tax ID collection requires updating business name on the customer. To enable tax ID collection for an existing customer, please set `customer_update[name]` to `auto`.',
      { param: 'tax_id_collection' },
    )
  }
}

function create(ctx: Context, values: Values<typeof createShape>): object {
  check(ctx, values)
  const {
    customer = null,
    ui_mode: ui = 'hosted_page',
    setup_intent_data: data,
    success_url,
    cancel_url,
    return_url,
  } = values
  const id = newId('cs_test')
  // Links live on real time, also for customers on a test clock.
  const created = Math.floor(ctx.nowMs() / 1000)
  const expires = values.expires_at ?? created + 24 * HOUR
  if (expires < created + HOUR / 2 || expires > created + 24 * HOUR) {
    throw refuse(
      'The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout Session creation.',
      { param: 'expires_at' },
    )
  }
  const isSale = values.mode === 'subscription'
  const sale = isSale ? newSubscriptionSession(ctx, values) : {}
  const setup = isSale
    ? null
    : createSetup(ctx, {
        customer,
        metadata: mergeMetadata({}, data?.metadata),
        description: data?.description ?? null,
        session: id,
      })
  const isHosted = ui === 'hosted_page'
  const session = {
    id,
    object: 'checkout.session',
    adaptive_pricing: null,
    after_expiration: null,
    allow_promotion_codes: null,
    allowed_payment_method_types: values.allowed_payment_method_types ?? null,
    amount_subtotal: null,
    amount_total: null,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: values.billing_address_collection ?? null,
    cancel_url: cancel_url ?? null,
    client_reference_id: values.client_reference_id ?? null,
    client_secret: isHosted ? null : `${id}_secret_${randomText(25)}`,
    collected_information: null,
    consent: null,
    consent_collection: values.consent_collection ?? null,
    created,
    currency: values.currency ?? null,
    currency_conversion: null,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
      ...values.custom_text,
    },
    customer,
    customer_account: null,
    customer_creation: customer ? null : (values.customer_creation ?? 'if_required'),
    customer_details: null,
    customer_email: values.customer_email ?? null,
    discounts: null,
    expires_at: expires,
    integration_identifier: null,
    invoice: null,
    invoice_creation: null,
    livemode: false,
    locale: values.locale ?? null,
    managed_payments: null,
    metadata: mergeMetadata({}, values.metadata),
    mode: 'setup',
    origin_context: null,
    payment_intent: null,
    payment_link: null,
    payment_method_collection: 'always',
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ['card'],
    payment_status: 'no_payment_required',
    permissions: null,
    ...(ui === 'embedded_page' ? { redirect_on_completion: values.redirect_on_completion ?? 'always' } : {}),
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: setup?.id ?? null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: 'open',
    submit_type: null,
    subscription: null,
    success_url: success_url ?? null,
    tax_id_collection: values.tax_id_collection
      ? { required: 'never', ...values.tax_id_collection }
      : undefined,
    _customerUpdate: values.customer_update ?? null,
    total_details: null,
    ...(return_url ? { return_url } : {}),
    ui_mode: ui,
    url: isHosted ? `${ctx.origin}/c/${id}` : null,
    wallet_options: null,
    _dueAt: expires,
    ...sale,
  } as unknown as SessionRecord
  return strip(ctx.store.put('sessions', session))
}

const sessionAt = (ctx: Context, path: readonly string[]) => requireRecord(ctx, ['sessions', idOf(path)])

function expire(ctx: Context, _values: object, path: readonly string[]): object {
  const session = sessionAt(ctx, path)
  if (session.status !== 'open')
    throw refuse('Only Checkout Sessions with a status in ["open"] can be expired.')
  const expired = ctx.store.put('sessions', { ...session, status: 'expired', url: null, _dueAt: null })
  emit(ctx, 'checkout.session.expired', ['sessions', expired])
  return strip(expired)
}

const listShape = {
  ...page,
  customer: text(),
  subscription: text(),
  status: oneOf('open', 'complete', 'expired'),
}

function listSessions(ctx: Context, values: Values<typeof listShape>): object {
  const filter = (s: SessionRecord) =>
    (!values.customer || s.customer === values.customer) &&
    (!values.subscription || s.subscription === values.subscription) &&
    (values.status === undefined || s.status === values.status)
  return listPage(
    ctx,
    { table: 'sessions', kind: 'checkout.session', url: '/v1/checkout/sessions', filter },
    values,
  )
}

export const checkoutRoutes = [
  route('POST', '/v1/checkout/sessions', [createShape, create]),
  route('GET', '/v1/checkout/sessions', [listShape, listSessions]),
  route('GET', '/v1/checkout/sessions/:id', [{}, (ctx, _values, path) => strip(sessionAt(ctx, path))]),
  route('POST', '/v1/checkout/sessions/:id/expire', [{}, expire]),
  route('GET', '/v1/checkout/sessions/:id/line_items', [
    page,
    (ctx, values, path) => {
      const session = sessionAt(ctx, path)
      return pageOf(`/v1/checkout/sessions/${session.id}/line_items`, lineItemsOf(ctx, session), values)
    },
  ]),
]
