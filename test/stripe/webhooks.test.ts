import { Stripe } from 'stripe'
import { expect, test } from 'vitest'
import { verifyWebhook } from '../../src/stripe/webhooks.ts'

const secret = 'whsec_current'
const nowMs = Date.parse('2026-05-01T00:00:00Z')

const invoicePaid = {
  id: 'evt_1',
  object: 'event',
  api_version: '2026-10-28.endive',
  created: nowMs / 1000,
  livemode: false,
  type: 'invoice.paid',
  data: {
    object: {
      id: 'in_1',
      object: 'invoice',
      customer: 'cus_1',
      metadata: { perennial_invoice_id: '01HINVOICE' },
    },
  },
}

interface Delivery {
  readonly event?: unknown
  readonly secret?: string
  readonly signedMs?: number
}

function delivery({ event = invoicePaid, secret: signedWith = secret, signedMs = nowMs }: Delivery = {}) {
  const payload = JSON.stringify(event)
  const timestamp = Math.floor(signedMs / 1000)
  const header = Stripe.webhooks.generateTestHeaderString({ payload, secret: signedWith, timestamp })
  return { rawBody: Buffer.from(payload), header, secrets: [secret], nowMs }
}

const refusal = expect.objectContaining({ code: 'webhook_signature_invalid' })

test('rule 30: a signed event is read down to its ids', () => {
  expect(verifyWebhook(delivery())).toEqual({
    id: 'evt_1',
    type: 'invoice.paid',
    objectId: 'in_1',
    invoiceId: '01HINVOICE',
    stripeInvoiceId: 'in_1',
    stripeCustomerId: 'cus_1',
    createdMs: nowMs,
    livemode: false,
    apiVersion: '2026-10-28.endive',
    isOwn: false,
  })
})

const ours = '01J8Z5T0000000000000000000'
const other = '01J8Z5T0000000000000000001'
test.each([
  ['a request of ours for this invoice', `lines:${ours}:g1:r2:f4a2`, true],
  ['our payment of it', `pay:${ours}:a1:g1`, true],
  ['a request of ours for another invoice', `lines:${other}:g1:f4a2`, false],
  ['somebody else’s request', '7c9e6679-7425-40de-944b-e07fc1f90ae7', false],
  ['no request', null, false],
])('an event of an invoice is known to be caused by %s', (_by, idempotencyKey, isOwn) => {
  const object = { id: 'in_1', object: 'invoice', metadata: { perennial_invoice_id: ours } }
  const request = { id: 'req_1', idempotency_key: idempotencyKey }
  expect(verifyWebhook(delivery({ event: { ...invoicePaid, data: { object }, request } }))).toMatchObject({
    isOwn,
  })
})

test.each([
  ['an invoice', `create:${ours}:g1`, true],
  ['the customer', `customer:${ours}`, false],
])('a change of a customer is known to be caused by a request of ours for %s', (_for, key, isOwn) => {
  const event = {
    ...invoicePaid,
    type: 'customer.updated',
    data: { object: { id: 'cus_1', object: 'customer', metadata: {} } },
    request: { id: 'req_1', idempotency_key: key },
  }
  expect(verifyWebhook(delivery({ event }))).toMatchObject({ isOwn })
})

test('rule 30: an event signed with another secret is refused', () => {
  expect(() => verifyWebhook(delivery({ secret: 'whsec_forged' }))).toThrow(refusal)
})

test('rule 30: a body that was changed after signing is refused', () => {
  const signed = delivery()
  const rawBody = Buffer.from(signed.rawBody.toString().replace('in_1', 'in_2'))
  expect(() => verifyWebhook({ ...signed, rawBody })).toThrow(refusal)
})

test.each([undefined, '', 'nonsense', 't=1,v0=abc', 't=abc,v1='])('the header %j is refused', (header) => {
  expect(() => verifyWebhook({ ...delivery(), header })).toThrow(refusal)
})

test('rule 30: a signature is good for 300 seconds and not for 301', () => {
  expect(verifyWebhook(delivery({ signedMs: nowMs - 300_000 })).id).toBe('evt_1')
  expect(() => verifyWebhook(delivery({ signedMs: nowMs - 301_000 }))).toThrow(refusal)
})

test('while a secret is rolled, either of the two is good', () => {
  const old = delivery({ secret: 'whsec_previous' })
  expect(verifyWebhook({ ...old, secrets: [secret, 'whsec_previous'] }).id).toBe('evt_1')
  expect(() => verifyWebhook({ ...old, secrets: [secret] })).toThrow(refusal)
})

test('a header with the signatures of two secrets passes with one of them', () => {
  const signed = delivery()
  const other = delivery({ secret: 'whsec_next' }).header.split(',')[1]
  const header = signed.header.replace(',', `,${other},`)
  expect(verifyWebhook({ ...signed, header }).id).toBe('evt_1')
})

test('no secret at all refuses everything', () => {
  expect(() => verifyWebhook({ ...delivery(), secrets: [] })).toThrow(refusal)
  expect(() => verifyWebhook({ ...delivery({ secret: 'whsec_x' }), secrets: [''] })).toThrow(refusal)
})

test('an event of an unknown type and version is read as far as it goes', () => {
  const event = {
    ...invoicePaid,
    api_version: '2031-01-01.future',
    type: 'invoice.teleported',
    data: { object: {} },
  }
  expect(verifyWebhook(delivery({ event }))).toMatchObject({
    type: 'invoice.teleported',
    objectId: '',
    invoiceId: null,
    stripeInvoiceId: null,
    apiVersion: '2031-01-01.future',
  })
})

/** As Stripe sends it at 2022-11-15: with the members that were renamed or taken away since. */
const oldInvoice = {
  id: 'in_1MtHbELkdIwHu7ixl4OzzPMv',
  object: 'invoice',
  account_country: 'US',
  amount_due: 2000,
  amount_paid: 2000,
  amount_remaining: 0,
  attempt_count: 1,
  attempted: true,
  charge: 'ch_3MtHbELkdIwHu7ix0lQ0xxxx',
  collection_method: 'charge_automatically',
  customer: 'cus_NeZwdNtLEOXuvB',
  customer_email: 'jennyrosen@example.com',
  discount: null,
  lines: {
    object: 'list',
    data: [{ id: 'il_1MtHbELkdIwHu7ix', object: 'line_item', plan: null, price: null, type: 'invoiceitem' }],
    has_more: false,
    total_count: 1,
    url: '/v1/invoices/in_1MtHbELkdIwHu7ixl4OzzPMv/lines',
  },
  metadata: { perennial_invoice_id: '01HINVOICE' },
  paid: true,
  paid_out_of_band: false,
  payment_intent: 'pi_3MtHbELkdIwHu7ix0xxxxxxx',
  status: 'paid',
  subscription: null,
  subscription_details: { metadata: null },
  tax: null,
  total: 2000,
  total_tax_amounts: [],
  webhooks_delivered_at: 1680644467,
}

test.each(['invoice.finalized', 'invoice.marked_uncollectible', 'invoice.paid', 'invoice.voided'])(
  '%s of 2022-11-15 is read down to its ids',
  (type) => {
    const event = {
      id: 'evt_1MtHbGLkdIwHu7ix',
      object: 'event',
      api_version: '2022-11-15',
      created: nowMs / 1000,
      data: { object: oldInvoice, previous_attributes: { paid: false } },
      livemode: false,
      pending_webhooks: 1,
      request: { id: null, idempotency_key: null },
      type,
    }
    expect(verifyWebhook(delivery({ event }))).toEqual({
      id: 'evt_1MtHbGLkdIwHu7ix',
      type,
      objectId: oldInvoice.id,
      invoiceId: '01HINVOICE',
      stripeInvoiceId: oldInvoice.id,
      stripeCustomerId: oldInvoice.customer,
      createdMs: nowMs,
      livemode: false,
      apiVersion: '2022-11-15',
      isOwn: false,
    })
  },
)

test('a charge of 2022-11-15 names its invoice', () => {
  const object = { id: 'ch_1', object: 'charge', invoice: 'in_9', customer: 'cus_1', metadata: {} }
  const event = { ...invoicePaid, type: 'charge.refunded', api_version: '2022-11-15', data: { object } }
  expect(verifyWebhook(delivery({ event }))).toMatchObject({ objectId: 'ch_1', stripeInvoiceId: 'in_9' })
})

test('a payment of an invoice names the invoice, expanded or not', () => {
  const payment = (invoice: unknown) => ({
    ...invoicePaid,
    type: 'invoice_payment.paid',
    data: { object: { id: 'inpay_1', object: 'invoice_payment', invoice } },
  })
  for (const invoice of ['in_7', { id: 'in_7', object: 'invoice' }]) {
    const event = payment(invoice)
    expect(verifyWebhook(delivery({ event }))).toMatchObject({ objectId: 'inpay_1', stripeInvoiceId: 'in_7' })
  }
})

test.each([
  ['no JSON', 'not json'],
  ['null', null],
  ['a thin event', { id: 'evt_1', object: 'v2.core.event', type: 'v1.billing', created: 1 }],
])('a signed body that is %s is refused', (_what, event) => {
  const body = typeof event === 'string' ? event : JSON.stringify(event)
  const header = Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: nowMs / 1000 })
  expect(() => verifyWebhook({ rawBody: Buffer.from(body), header, secrets: [secret], nowMs })).toThrow(
    refusal,
  )
})
