import { bankByToken } from '../banks.ts'
import type { TestCard } from '../cards.ts'
import { cardByNumber, cardByToken } from '../cards.ts'
import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { refuse, StripeRefusal } from '../errors.ts'
import { emit, update } from '../events.ts'
import { newId, randomText } from '../ids.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import {
  hash,
  integer,
  mergeMetadata,
  metadata,
  missing,
  oneOf,
  page,
  required,
  text,
  unbuilt,
} from '../params.ts'
import { present, strip } from '../present.ts'
import { requireCustomer, requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { Decline, PaymentMethodRecord } from '../records.ts'
import { createFromBank } from './bank-accounts.ts'

const cardShape = {
  number: text(),
  exp_month: integer(1, 12),
  exp_year: integer(),
  cvc: text(),
  token: text(),
}
const address = hash({
  city: text(),
  country: text(),
  line1: text(),
  line2: text(),
  postal_code: text(),
  state: text(),
})
const billingDetails = hash({ address, email: text(), name: text(), phone: text(), tax_id: text() })
const createShape = {
  type: oneOf('card'),
  card: hash(cardShape),
  billing_details: billingDetails,
  metadata,
  allow_redisplay: oneOf('always', 'limited', 'unspecified'),
  customer: unbuilt,
  payment_method: unbuilt,
}

const noBilling = {
  address: { city: null, country: null, line1: null, line2: null, postal_code: null, state: null },
  email: null,
  name: null,
  phone: null,
  tax_id: null,
}

/** Keeps a payment method made from a test card. */
export function createFromCard(
  ctx: Context,
  card: TestCard,
  expiry = { month: 8, year: 2034 },
): PaymentMethodRecord {
  return ctx.store.put('paymentMethods', {
    id: newId('pm'),
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: noBilling,
    card: {
      brand: card.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'unchecked' },
      country: 'US',
      display_brand: card.brand,
      exp_month: expiry.month,
      exp_year: expiry.year,
      fingerprint: randomText(16),
      funding: 'credit',
      generated_from: null,
      last4: card.number.slice(-4),
      networks: { available: [card.brand], preferred: null },
      regulated_status: 'unregulated',
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created: timeOf(ctx, null),
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'card',
    _behaviour: card.behaviour,
    _number: card.number,
  })
}

/** The card of a number as a person types it; any other number is refused, for a sandbox takes no real cards. */
export function requireTestCard(number: string): TestCard {
  const card = cardByNumber(number)
  if (card !== undefined) return card
  throw new StripeRefusal(402, {
    type: 'card_error',
    code: 'incorrect_number',
    message: 'Your card number is incorrect.',
    param: 'card[number]',
  })
}

/** The record of an id, or a new one for a token such as `pm_card_visa` or `pm_usBankAccount_success`. */
export function resolveMethod(ctx: Context, id: string, param?: string): PaymentMethodRecord {
  const bank = bankByToken(id)
  if (bank !== undefined) return createFromBank(ctx, bank)
  const card = cardByToken(id)
  return card === undefined ? requireRecord(ctx, ['paymentMethods', id], param) : createFromCard(ctx, card)
}

function create(ctx: Context, values: Values<typeof createShape>): object {
  const { card, type, billing_details } = values
  if (type === undefined && card === undefined) throw missing('type')
  if (!card) throw missing('card')
  const token = card.token?.replace(/^tok_/, 'pm_card_')
  const known = token ? cardByToken(token) : requireTestCard(card.number ?? '')
  if (known === undefined)
    throw refuse(`No such token: '${card.token}'`, { code: 'resource_missing', param: 'card[token]' })
  const expiry = { month: card.exp_month ?? 8, year: card.exp_year ?? 2034 }
  const method = createFromCard(ctx, known, expiry)
  return strip(
    ctx.store.put('paymentMethods', {
      ...method,
      metadata: mergeMetadata({}, values.metadata),
      billing_details: { ...noBilling, ...billing_details } as PaymentMethodRecord['billing_details'],
    }),
  )
}

/** The 402 of a declined card. */
export function cardError(
  decline: Decline,
  extra: { charge?: string; payment_intent?: object; payment_method?: object } = {},
): StripeRefusal {
  const body = {
    type: 'card_error' as const,
    code: decline.code,
    ...(decline.code === 'card_declined' ? { decline_code: decline.declineCode } : {}),
    doc_url: `https://stripe.com/docs/error-codes/${decline.code.replaceAll('_', '-')}`,
    message: decline.message,
    ...extra,
  }
  return new StripeRefusal(402, body, extra.charge !== undefined || extra.payment_intent !== undefined)
}

/** Attaches to a customer; the cards that always decline are refused here already [recorded traffic: stripe_world]. */
export function attach(ctx: Context, id: string, customer: string): PaymentMethodRecord {
  const method = resolveMethod(ctx, id)
  if (method.customer === customer) return method
  if (method.customer !== null) {
    throw refuse('The payment method you provided has already been attached to a customer.', {
      code: 'payment_method_already_attached',
    })
  }
  const { attach: outcome } = method._behaviour
  if (outcome !== 'accept') throw cardError(outcome)
  const attached = ctx.store.put('paymentMethods', { ...method, customer })
  emit(ctx, 'payment_method.attached', ['paymentMethods', attached])
  return attached
}

/** Detaches; the customer's default goes with it. */
export function detach(ctx: Context, method: PaymentMethodRecord): PaymentMethodRecord {
  if (method.customer === null) {
    throw refuse('The payment method you provided is not attached to a customer so detachment is impossible.')
  }
  const customer = ctx.store.get('customers', method.customer)
  const detached = update(ctx, 'payment_method.detached', ['paymentMethods', { ...method, customer: null }])
  if (customer?.invoice_settings.default_payment_method === method.id) {
    const settings = { ...customer.invoice_settings, default_payment_method: null }
    update(ctx, 'customer.updated', ['customers', { ...customer, invoice_settings: settings }])
  }
  return detached
}

function attachTo(ctx: Context, values: { readonly customer: string }, path: readonly string[]): object {
  requireCustomer(ctx, values.customer, 'customer')
  return strip(attach(ctx, idOf(path), values.customer))
}

const updateShape = {
  metadata,
  billing_details: billingDetails,
  allow_redisplay: oneOf('always', 'limited', 'unspecified'),
  card: hash({ exp_month: integer(1, 12), exp_year: integer() }),
}

function edit(ctx: Context, values: Values<typeof updateShape>, path: readonly string[]): object {
  const method = requireRecord(ctx, ['paymentMethods', idOf(path)])
  const changed = {
    ...method,
    metadata: mergeMetadata(method.metadata, values.metadata),
    billing_details: {
      ...method.billing_details,
      ...values.billing_details,
    } as PaymentMethodRecord['billing_details'],
    card: { ...method.card, ...values.card } as PaymentMethodRecord['card'] & object,
  }
  return strip(update(ctx, 'payment_method.updated', ['paymentMethods', changed]))
}

const listShape = { ...page, customer: text(), type: text(), allow_redisplay: text() }

function listOf(ctx: Context, values: Values<typeof listShape>, customer: string | null | undefined): object {
  const among = customer ? ctx.store.by('paymentMethods', 'customer', customer) : []
  const filter = (m: PaymentMethodRecord) => !values.type || m.type === values.type
  const url = '/v1/payment_methods'
  return listPage(ctx, { table: 'paymentMethods', kind: 'PaymentMethod', url, filter, among }, values)
}

const ofCustomer = { ...page, type: text(), allow_redisplay: text() }

export const paymentMethodRoutes = [
  route('POST', '/v1/payment_methods', [createShape, create]),
  route('GET', '/v1/payment_methods', [listShape, (ctx, values) => listOf(ctx, values, values.customer)]),
  route('GET', '/v1/payment_methods/:id', [{}, (ctx, _v, path) => strip(resolveMethod(ctx, idOf(path)))]),
  route('POST', '/v1/payment_methods/:id', [updateShape, edit]),
  route('POST', '/v1/payment_methods/:id/attach', [{ customer: required(text()) }, attachTo]),
  route('POST', '/v1/payment_methods/:id/detach', [
    {},
    (ctx, _v, path) => strip(detach(ctx, requireRecord(ctx, ['paymentMethods', idOf(path)]))),
  ]),
  route('GET', '/v1/customers/:id/payment_methods', [
    ofCustomer,
    (ctx, values, path) => listOf(ctx, values, requireCustomer(ctx, idOf(path)).id),
  ]),
  route('GET', '/v1/customers/:id/payment_methods/:method', [
    {},
    (ctx, _v, path) => present(ctx, 'paymentMethods', requireRecord(ctx, ['paymentMethods', path[1] ?? ''])),
  ]),
]
