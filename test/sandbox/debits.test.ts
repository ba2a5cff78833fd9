import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceTo, customerWith, eventTypes, openInvoice, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const started = async (token: string, clock?: string) => {
  const { stripe } = world
  const customer = await customerWith(stripe, token, clock === undefined ? {} : { test_clock: clock })
  const open = await openInvoice(stripe, customer.id, 1000)
  const paying = await stripe.invoices.pay(open.id)
  expect(paying).toMatchObject({ status: 'open', attempted: true, attempt_count: 1, amount_remaining: 1000 })
  const [intent] = (await stripe.paymentIntents.list({ customer: customer.id })).data
  return { id: open.id, intent: String(intent?.id), url: String(open.hosted_invoice_url) }
}
const statusOf = async (id: string) => (await world.stripe.invoices.retrieve(id)).status

test('a debit is processing until its bank answers, then the invoice is paid', async () => {
  const { stripe, control } = world
  const { id, intent, url } = await started('pm_usBankAccount_success')
  const seen = await stripe.paymentIntents.retrieve(intent, { expand: ['latest_charge'] })
  expect(seen).toMatchObject({ status: 'processing', latest_charge: { status: 'pending', paid: false } })
  expect((await refusalOf(stripe.invoices.pay(id))).statusCode).toBe(400)
  expect((await refusalOf(stripe.invoices.voidInvoice(id))).message).toContain('processing')
  expect(await (await fetch(url)).text()).toContain('on its way')
  expect(await control('POST', `/payments/${intent}/settle`, { outcome: 'succeeded' })).toEqual({
    invoice: id,
    status: 'paid',
  })
  expect(await statusOf(id)).toBe('paid')
  expect(await eventTypes(stripe, intent)).toEqual([
    'payment_intent.created',
    'payment_intent.processing',
    'payment_intent.succeeded',
  ])
  expect(await control('POST', `/payments/${intent}/settle`)).toHaveProperty('error')
})

test('a debit that is returned fails the payment, and the invoice can be paid otherwise', async () => {
  const { stripe, control } = world
  const { id, intent } = await started('pm_usBankAccount_success')
  await control('POST', `/payments/${intent}/settle`, { outcome: 'failed' })
  expect(await statusOf(id)).toBe('open')
  expect((await stripe.paymentIntents.retrieve(intent)).last_payment_error?.code).toBe('insufficient_funds')
  expect(await eventTypes(stripe, id)).toContain('invoice.payment_failed')
  await stripe.invoices.pay(id, { payment_method: 'pm_card_visa' })
  expect(await statusOf(id)).toBe('paid')
})

test('on a test clock the bank answers after four days, as its account does', async () => {
  const { stripe } = world
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: 1_800_000_000 })
  const good = await started('pm_success_de', clock.id)
  const bad = await started('pm_usBankAccount_accountClosed', clock.id)
  const never = await started('pm_usBankAccount_processing', clock.id)
  await advanceTo(stripe, clock.id, 1_800_000_000 + 3 * 86_400)
  expect(await statusOf(good.id)).toBe('open')
  await advanceTo(stripe, clock.id, 1_800_000_000 + 5 * 86_400)
  expect(await statusOf(good.id)).toBe('paid')
  expect(await statusOf(bad.id)).toBe('open')
  expect(await stripe.paymentIntents.retrieve(bad.intent)).toMatchObject({
    status: 'requires_payment_method',
    last_payment_error: { code: 'account_closed' },
  })
  expect((await stripe.paymentIntents.retrieve(never.intent)).status).toBe('processing')
})
