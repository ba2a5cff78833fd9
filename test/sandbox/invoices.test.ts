import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { customerWith, draftOf, eventTypes, openInvoice, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

describe('the life of an invoice', () => {
  test('a good card pays, with the events of the documented order', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    const open = await openInvoice(stripe, customer.id, 1234)
    expect(open).toMatchObject({
      status: 'open',
      subtotal: 1234,
      total: 1234,
      amount_due: 1234,
      attempt_count: 0,
    })
    expect(open.number).toBe(`${customer.invoice_prefix}-0001`)
    const paid = await stripe.invoices.pay(open.id)
    expect(paid).toMatchObject({ status: 'paid', amount_paid: 1234, amount_remaining: 0, attempt_count: 1 })
    expect(await eventTypes(stripe, open.id)).toEqual([
      'invoice.created',
      'invoice.updated',
      'invoice.finalized',
      'invoice.updated',
      'invoice.paid',
      'invoice.payment_succeeded',
    ])
  })

  test('a decline is a 402 that names the payment intent, and the invoice stays open', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe, 'pm_card_chargeCustomerFail')
    const open = await openInvoice(stripe, customer.id, 900)
    const refusal = await refusalOf(stripe.invoices.pay(open.id))
    expect(refusal).toMatchObject({
      statusCode: 402,
      type: 'StripeCardError',
      code: 'card_declined',
      decline_code: 'generic_decline',
    })
    expect(refusal.payment_intent).toMatchObject({ status: 'requires_payment_method' })
    expect(await stripe.invoices.retrieve(open.id)).toMatchObject({
      status: 'open',
      attempted: true,
      attempt_count: 1,
    })
    expect(await eventTypes(stripe, open.id)).toContain('invoice.payment_failed')
    expect(await eventTypes(stripe, String(refusal.charge))).toEqual(['charge.failed'])
  })

  test('a second call of pay does not count as an attempt', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe, 'pm_card_chargeCustomerFail')
    const open = await openInvoice(stripe, customer.id, 900)
    await refusalOf(stripe.invoices.pay(open.id))
    await refusalOf(stripe.invoices.pay(open.id))
    expect((await stripe.invoices.retrieve(open.id)).attempt_count).toBe(1)
    const good = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id })
    expect((await stripe.invoices.pay(open.id, { payment_method: good.id })).status).toBe('paid')
  })

  test('3-D Secure waits for the customer without counting an attempt', async () => {
    const { stripe, control } = world
    const customer = await customerWith(stripe, 'pm_card_authenticationRequired')
    const open = await openInvoice(stripe, customer.id, 900)
    const refusal = await refusalOf(stripe.invoices.pay(open.id))
    expect(refusal.code).toBe('invoice_payment_intent_requires_action')
    expect(await stripe.invoices.retrieve(open.id)).toMatchObject({
      status: 'open',
      attempted: true,
      attempt_count: 0,
    })
    expect(await eventTypes(stripe, open.id)).toContain('invoice.payment_action_required')
    await control('POST', `/authenticate/${refusal.payment_intent?.id}`, { outcome: 'succeed' })
    expect((await stripe.invoices.retrieve(open.id)).status).toBe('paid')
  })

  test('without a payment method the attempt fails and is never retried', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe, null)
    const open = await openInvoice(stripe, customer.id, 900)
    expect((await refusalOf(stripe.invoices.pay(open.id))).statusCode).toBe(400)
    expect(await eventTypes(stripe, open.id)).toContain('invoice.payment_failed')
    expect((await stripe.invoices.retrieve(open.id)).next_payment_attempt).toBeNull()
  })

  test('paid out of band is paid without payment_succeeded', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe, null)
    const open = await openInvoice(stripe, customer.id, 900)
    expect((await stripe.invoices.pay(open.id, { paid_out_of_band: true })).status).toBe('paid')
    const types = await eventTypes(stripe, open.id)
    expect(types).toContain('invoice.paid')
    expect(types).not.toContain('invoice.payment_succeeded')
  })

  test('an uncollectible invoice can still be paid, or voided', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    const first = await openInvoice(stripe, customer.id, 900)
    const second = await openInvoice(stripe, customer.id, 900)
    expect((await stripe.invoices.markUncollectible(first.id)).status_details?.uncollectible?.reason).toBe(
      'user_forgiven',
    )
    await stripe.invoices.markUncollectible(second.id)
    expect((await stripe.invoices.pay(first.id)).status).toBe('paid')
    expect((await stripe.invoices.voidInvoice(second.id)).status).toBe('void')
    expect(second.number).toBe(`${customer.invoice_prefix}-0002`)
  })

  test('nothing to collect is paid at once, without a payment intent', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe, null)
    const { id } = await stripe.invoices.create({ customer: customer.id, currency: 'usd' })
    expect(await stripe.invoices.finalizeInvoice(id)).toMatchObject({ status: 'paid', amount_due: 0 })
    expect((await stripe.invoicePayments.list({ invoice: id })).data).toEqual([])
    expect(await eventTypes(stripe, id)).toContain('invoice.payment_succeeded')
  })

  test('an amount below the minimum charge is rolled onto the balance and collected with the next', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    expect(await openInvoice(stripe, customer.id, 49)).toMatchObject({
      status: 'paid',
      amount_due: 0,
      ending_balance: 49,
    })
    expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ balance: 49 })
    const [rolled] = (await stripe.customers.listBalanceTransactions(customer.id)).data
    expect(rolled).toMatchObject({ amount: 49, type: 'invoice_too_small' })
    expect(await openInvoice(stripe, customer.id, 100)).toMatchObject({
      status: 'open',
      amount_due: 149,
      starting_balance: 49,
    })
    expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ balance: 0 })
  })

  test('a negative total becomes credit', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    expect(await openInvoice(stripe, customer.id, -500)).toMatchObject({
      status: 'paid',
      total: -500,
      ending_balance: -500,
    })
    expect(await openInvoice(stripe, customer.id, 800)).toMatchObject({ amount_due: 300 })
  })

  test('a given number is kept and takes none of the sequence', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    expect((await openInvoice(stripe, customer.id, 100, { number: 'ACME-7' })).number).toBe('ACME-7')
    expect((await openInvoice(stripe, customer.id, 100)).number).toBe(`${customer.invoice_prefix}-0001`)
  })

  test('pay on a draft finalizes and charges in one call', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    const draft = await draftOf(stripe, customer.id, 700)
    expect((await stripe.invoices.pay(draft.id)).status).toBe('paid')
  })

  test('automatic tax adds the flat rate, and needs to know where the customer is', async () => {
    const { stripe } = world
    const [german, nowhere, american] = await Promise.all([
      customerWith(stripe, 'pm_card_visa', { address: { country: 'DE' } }),
      customerWith(stripe),
      customerWith(stripe, 'pm_card_visa', { address: { country: 'US' } }),
    ])
    const tax = { automatic_tax: { enabled: true } }
    expect(await openInvoice(stripe, german.id, 1003, tax)).toMatchObject({
      subtotal: 1003,
      total: 1204,
      automatic_tax: { status: 'complete' },
    })
    expect(await openInvoice(stripe, american.id, 1003, tax)).toMatchObject({ total: 1003 })
    const draft = await draftOf(stripe, nowhere.id, 1003, tax)
    expect(draft.automatic_tax.status).toBe('requires_location_inputs')
    expect((await refusalOf(stripe.invoices.finalizeInvoice(draft.id))).code).toBe(
      'customer_tax_location_invalid',
    )
  })

  test('from a payment intent there is a way back to its invoice', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    const open = await openInvoice(stripe, customer.id, 800)
    const [payment] = (await stripe.invoicePayments.list({ invoice: open.id })).data
    const intent = payment?.payment.payment_intent as string
    const found = await stripe.invoicePayments.list({
      payment: { type: 'payment_intent', payment_intent: intent },
    })
    expect(found.data.map(({ invoice }) => invoice)).toEqual([open.id])
  })
})

describe('lines', () => {
  test('are added, changed and removed while a draft', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    const draft = await draftOf(stripe, customer.id, 100)
    const more = await stripe.invoices.addLines(draft.id, {
      lines: [
        { amount: -30, metadata: { k: 'v' } },
        {
          quantity: 3,
          price_data: { currency: 'usd', unit_amount: 7, product_data: { name: 'x' } },
        },
      ],
    })
    expect(more.lines.data.map(({ amount }) => amount)).toEqual([100, -30, 21])
    const [first, second] = more.lines.data
    const changed = await stripe.invoices.updateLines(draft.id, {
      lines: [{ id: String(first?.id), amount: 200 }],
    })
    expect(changed.subtotal).toBe(191)
    const removed = await stripe.invoices.removeLines(draft.id, {
      lines: [{ id: String(second?.id), behavior: 'delete' }],
    })
    expect(removed.subtotal).toBe(221)
    expect((await stripe.invoices.listLineItems(draft.id, { limit: 1 })).has_more).toBe(true)
  })

  test('pending items of the same currency are swept, newest first, and do not return when the draft is deleted', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    for (const [amount, currency] of [
      [1, 'usd'],
      [2, 'usd'],
      [3, 'eur'],
    ] as const) {
      await stripe.invoiceItems.create({ customer: customer.id, amount, currency })
    }
    const swept = await stripe.invoices.create({
      customer: customer.id,
      currency: 'usd',
      pending_invoice_items_behavior: 'include',
    })
    expect(swept.lines.data.map(({ amount }) => amount)).toEqual([2, 1])
    await stripe.invoices.del(swept.id)
    const pending = await stripe.invoiceItems.list({ customer: customer.id, pending: true })
    expect(pending.data.map(({ amount }) => amount)).toEqual([3])
  })

  test('an edit that changes nothing says nothing; one that does tells the old values', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    const draft = await draftOf(stripe, customer.id, 100, { metadata: { a: '1', b: '2' } })
    const before = (await eventTypes(stripe, draft.id)).length
    await stripe.invoices.update(draft.id, { metadata: { a: '1' } })
    expect((await eventTypes(stripe, draft.id)).length).toBe(before)
    const merged = await stripe.invoices.update(draft.id, { metadata: { a: '', c: '3' } })
    expect(merged.metadata).toEqual({ b: '2', c: '3' })
    const [latest] = (await stripe.events.list({ type: 'invoice.updated', limit: 1 })).data
    expect(latest?.data.previous_attributes).toEqual({ metadata: { a: '1', c: null } })
  })
})

describe('refusals are worded as Stripe words them', () => {
  test.each([
    ['pay', 'Invoice is already paid'],
    ['voidInvoice', 'Invoices with `paid` payments cannot be voided.'],
    ['markUncollectible', "You can only pass in open invoices. This invoice isn't open."],
    ['finalizeInvoice', "This invoice is already finalized, you can't re-finalize a non-draft invoice."],
    ['del', 'You can only delete draft invoices.'],
  ] as const)('%s on a paid invoice', async (action, message) => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    const open = await openInvoice(stripe, customer.id, 700)
    await stripe.invoices.pay(open.id)
    expect(await refusalOf(stripe.invoices[action](open.id))).toMatchObject({ statusCode: 400, message })
  })

  test('lines of a finalized invoice', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    const open = await openInvoice(stripe, customer.id, 700)
    const refusal = await refusalOf(stripe.invoices.addLines(open.id, { lines: [{ amount: 1 }] }))
    expect(refusal).toMatchObject({
      code: 'invoice_not_editable',
      message: 'Invalid invoice: This invoice is no longer editable',
    })
    const update = await refusalOf(stripe.invoices.update(open.id, { description: 'x' }))
    expect(update.message).toBe("Finalized invoices can't be updated in this way")
  })

  test('amount together with quantity, an unknown and a missing parameter, and what is not there', async () => {
    const { stripe } = world
    const customer = await customerWith(stripe)
    const draft = await draftOf(stripe, customer.id, 100)
    expect(
      await refusalOf(stripe.invoices.addLines(draft.id, { lines: [{ amount: 1, quantity: 2 }] })),
    ).toMatchObject({
      message: 'You may only specify one of these parameters: amount, quantity.',
      param: 'lines[0][amount]',
    })
    expect(
      await refusalOf(stripe.invoices.addLines(draft.id, { lines: [{ amount: 1, colour: 'red' } as never] })),
    ).toMatchObject({
      code: 'parameter_unknown',
      message: 'Received unknown parameter: lines[0][colour]',
    })
    expect(await refusalOf(stripe.invoices.addLines(draft.id, {} as never))).toMatchObject({
      code: 'parameter_missing',
      message: 'Missing required param: lines.',
    })
    expect(await refusalOf(stripe.customers.retrieve('cus_x'))).toMatchObject({
      statusCode: 404,
      message: "No such customer: 'cus_x'",
    })
    expect(await refusalOf(stripe.invoices.create({ customer: 'cus_x' }))).toMatchObject({
      statusCode: 400,
      param: 'customer',
    })
    expect(
      await refusalOf(stripe.invoices.create({ customer: customer.id, collection_method: 'send_invoice' })),
    ).toMatchObject({
      message:
        "If invoice collection method is 'send_invoice', you must specify 'due_date' or 'days_until_due'.",
    })
  })
})
