import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { emit } from '../events.ts'
import { newId, randomText } from '../ids.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import {
  currencyCode,
  hash,
  integer,
  mergeMetadata,
  metadata,
  missing,
  oneOf,
  page,
  text,
  unbuilt,
} from '../params.ts'
import { strip } from '../present.ts'
import { requireCustomer, requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import { createSetup } from '../setup.ts'
import type { SessionRecord } from '../tables.ts'

const HOUR = 3600
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
  customer_creation: unbuilt,
  customer_update: unbuilt,
  tax_id_collection: unbuilt,
  line_items: unbuilt,
}

/** Payment and subscription modes are out of the sandbox's scope; setup needs a currency when no method list is sent. */
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
  if (mode !== 'setup')
    throw refuse('The local sandbox implements only Checkout in setup mode.', {
      code: 'sandbox_not_implemented',
      param: 'mode',
    })
  if (!currency) throw missing('currency')
  if (customer) requireCustomer(ctx, customer, 'customer')
  if (ui === 'hosted_page' && !success) throw missing('success_url')
  if ((ui === 'embedded_page' || ui === 'elements') && !back) throw missing('return_url')
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
  const setup = createSetup(ctx, {
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
    allowed_payment_method_types: null,
    amount_subtotal: null,
    amount_total: null,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: values.billing_address_collection ?? null,
    cancel_url: cancel_url ?? null,
    client_reference_id: values.client_reference_id ?? null,
    client_secret: isHosted ? null : `${id}_secret_${randomText(25)}`,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created,
    currency: values.currency ?? null,
    currency_conversion: null,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
    },
    customer,
    customer_account: null,
    customer_creation: null,
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
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: setup.id,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: 'open',
    submit_type: null,
    subscription: null,
    success_url: success_url ?? null,
    total_details: null,
    ...(return_url ? { return_url } : {}),
    ui_mode: ui,
    url: isHosted ? `${ctx.origin}/c/${id}` : null,
    wallet_options: null,
    _dueAt: expires,
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

const listShape = { ...page, customer: text(), status: oneOf('open', 'complete', 'expired') }

function listSessions(ctx: Context, values: Values<typeof listShape>): object {
  const filter = (s: SessionRecord) =>
    (!values.customer || s.customer === values.customer) &&
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
]
