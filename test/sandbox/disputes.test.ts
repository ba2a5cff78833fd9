import { afterAll, beforeAll, expect, test } from 'vitest'
import { customerWith, eventTypes, openInvoice, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const paidInvoice = async (card = 'pm_card_visa') => {
  const { stripe } = world
  const customer = await customerWith(stripe, card)
  const open = await openInvoice(stripe, customer.id, 1000)
  await stripe.invoices.pay(open.id)
  const [charge] = (await stripe.charges.list({ customer: customer.id })).data
  return { invoice: open.id, charge: String(charge?.id), intent: charge?.payment_intent }
}

test('a dispute withdraws the money, cannot be refunded beside, and is decided', async () => {
  const { stripe, control } = world
  const { invoice, charge, intent } = await paidInvoice()
  const opened = await control('POST', '/disputes', { invoice, reason: 'product_not_received' })
  const id = String(opened['id'])
  expect(await stripe.disputes.retrieve(id)).toMatchObject({
    amount: 1000,
    charge,
    payment_intent: intent,
    reason: 'product_not_received',
    status: 'needs_response',
    balance_transactions: [{ amount: -1000, fee: 1500 }],
  })
  expect((await stripe.charges.retrieve(charge)).disputed).toBe(true)
  expect((await refusalOf(stripe.refunds.create({ charge }))).code).toBe('charge_disputed')
  expect((await stripe.disputes.list({ charge })).data).toHaveLength(1)
  await control('POST', `/disputes/${id}/close`, { outcome: 'won' })
  expect((await stripe.disputes.retrieve(id)).status).toBe('won')
  expect(await eventTypes(stripe, id)).toEqual([
    'charge.dispute.created',
    'charge.dispute.funds_withdrawn',
    'charge.dispute.closed',
    'charge.dispute.funds_reinstated',
  ])
  expect(await control('POST', `/disputes/${id}/close`, { outcome: 'lost' })).toHaveProperty('error')
  expect((await stripe.invoices.retrieve(invoice)).status).toBe('paid')
  await stripe.refunds.create({ charge })
})

test('a card that is always disputed opens a dispute by itself, which may be given up', async () => {
  const { stripe } = world
  const { charge } = await paidInvoice('pm_card_createDispute')
  const [dispute] = (await stripe.disputes.list({ charge, expand: ['data.charge'] })).data
  expect(dispute).toMatchObject({ amount: 1000, charge: { id: charge, disputed: true } })
  expect((await stripe.disputes.close(String(dispute?.id))).status).toBe('lost')
})

test('refunds and credit notes tell of themselves and of the charge', async () => {
  const { stripe } = world
  const { invoice, charge } = await paidInvoice()
  const refund = await stripe.refunds.create({ charge, amount: 100 })
  const note = await stripe.creditNotes.create({ invoice, amount: 200, refund_amount: 200 })
  expect(await eventTypes(stripe, refund.id)).toEqual(['refund.created'])
  expect(await eventTypes(stripe, note.id)).toEqual(['credit_note.created'])
  expect((await eventTypes(stripe, charge)).filter((type) => type === 'charge.refunded')).toHaveLength(2)
})
