import { afterAll, beforeAll, expect, test } from 'vitest'
import { classifyStripeError } from '../../src/stripe/failures.ts'
import type { InvoiceToSync } from '../../src/stripe/invoice-types.ts'
import { collect, customerWith, invoiceFor, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

async function opened(invoice: InvoiceToSync) {
  const { stripeInvoiceId } = await world.gateway.syncInvoice(world.app, invoice)
  const ref = { invoiceId: invoice.invoiceId, stripeInvoiceId, generation: 1 }
  await world.gateway.finalizeInvoice(world.app, ref)
  return ref
}

test('rule 31: a decline is an outcome; the same attempt repeats it and the next one is another payment', async () => {
  const customer = await customerWith(world, { card: 'pm_card_chargeCustomerFail' })
  const ref = await opened(invoiceFor(customer))
  const first = await world.gateway.payInvoice(world.app, { ...ref, attempt: 1 })
  expect(first).toMatchObject({
    status: 'open',
    amountPaidMinor: 0n,
    payment: { kind: 'failed', code: 'card_declined', declineCode: 'generic_decline', hard: false },
  })
  expect(first.payment.paymentId).toMatch(/^ch_/)
  const repeated = await world.gateway.payInvoice(world.app, { ...ref, attempt: 1 })
  expect(repeated.payment).toEqual(first.payment)
  const second = await world.gateway.payInvoice(world.app, { ...ref, attempt: 2 })
  expect(second.payment.kind).toBe('failed')
  expect(second.payment.paymentId).not.toBe(first.payment.paymentId)
  const seen = await world.gateway.getInvoice(world.app, ref.stripeInvoiceId)
  expect(seen.payment).toMatchObject({
    kind: 'failed',
    paymentId: second.payment.paymentId,
    declineCode: 'generic_decline',
  })
})

test('after a decline another card pays the same invoice', async () => {
  const customer = await customerWith(world, { card: 'pm_card_chargeCustomerFail' })
  const ref = await opened(invoiceFor(customer))
  await world.gateway.payInvoice(world.app, { ...ref, attempt: 1 })
  const card = await world.gateway.attachPaymentMethod(world.app, {
    stripeCustomerId: customer,
    paymentMethodId: 'pm_card_visa',
  })
  const paid = await world.gateway.payInvoice(world.app, { ...ref, attempt: 2, paymentMethodId: card.id })
  expect(paid).toMatchObject({ status: 'paid', payment: { kind: 'succeeded' } })
})

test('rule 32: without a payment method the outcome asks for one', async () => {
  const ref = await opened(invoiceFor(await customerWith(world, { card: null })))
  const view = await world.gateway.payInvoice(world.app, { ...ref, attempt: 1 })
  expect(view).toMatchObject({
    status: 'open',
    payment: { kind: 'failed', code: 'payment_method_missing', hard: true, paymentId: null },
  })
})

test('rule 32: 3-D Secure waits for the customer', async () => {
  const ref = await opened(invoiceFor(await customerWith(world, { card: 'pm_card_authenticationRequired' })))
  const view = await world.gateway.payInvoice(world.app, { ...ref, attempt: 1 })
  expect(view).toMatchObject({ status: 'open', payment: { kind: 'requires_action', hard: true } })
  expect(view.hostedUrl).not.toBeNull()
  const seen = await world.gateway.getInvoice(world.app, ref.stripeInvoiceId)
  expect(seen.payment).toMatchObject({ kind: 'requires_action', paymentId: view.payment.paymentId })
})

test('paying what is paid already answers with the payment', async () => {
  const invoice = invoiceFor(await customerWith(world))
  const paid = await collect(world, invoice)
  const ref = { invoiceId: invoice.invoiceId, stripeInvoiceId: paid.stripeInvoiceId, generation: 1 }
  const again = await world.gateway.payInvoice(world.app, { ...ref, attempt: 2 })
  expect(again).toMatchObject({ status: 'paid', payment: paid.payment })
})

test('an e-mailed invoice has its due date, is sent once and can be paid by the customer later', async () => {
  const customer = await customerWith(world, { card: null })
  const invoice = invoiceFor(customer, { collectionMethod: 'send_invoice', daysUntilDue: 14 })
  const ref = await opened(invoice)
  const sent = await world.gateway.sendInvoice(world.app, ref)
  expect(sent).toMatchObject({ status: 'open', payment: { kind: 'none' } })
  expect((sent.dueMs ?? 0) - (sent.finalizedMs ?? 0)).toBe(14 * 86_400_000)
  await world.gateway.sendInvoice(world.app, ref)
  const events = await world.stripe.events.list({ type: 'invoice.sent', limit: 100 })
  const ours = events.data.filter((event) => (event.data.object as { id: string }).id === ref.stripeInvoiceId)
  expect(ours).toHaveLength(1)
})

test('voiding and giving up are repeatable, and a paid invoice stays paid', async () => {
  const customer = await customerWith(world, { card: 'pm_card_chargeCustomerFail' })
  const lost = await opened(invoiceFor(customer))
  expect(await world.gateway.markUncollectible(world.app, lost)).toMatchObject({ status: 'uncollectible' })
  expect(await world.gateway.markUncollectible(world.app, { ...lost, generation: 2 })).toMatchObject({
    status: 'uncollectible',
  })
  const voided = await opened(invoiceFor(customer))
  expect(await world.gateway.voidInvoice(world.app, voided)).toMatchObject({ status: 'void' })
  expect(await world.gateway.voidInvoice(world.app, { ...voided, generation: 2 })).toMatchObject({
    status: 'void',
  })
  const invoice = invoiceFor(await customerWith(world))
  const { stripeInvoiceId } = await collect(world, invoice)
  const paid = { invoiceId: invoice.invoiceId, stripeInvoiceId, generation: 1 }
  const refusal = await world.gateway.voidInvoice(world.app, paid).then(() => null, classifyStripeError)
  expect(refusal).toMatchObject({ kind: 'final' })
  expect(await world.gateway.markUncollectible(world.app, paid)).toMatchObject({ status: 'paid' })
})

test('a balance that the customer had pays its part, and says so', async () => {
  const customer = await customerWith(world)
  await world.stripe.customers.update(customer, { balance: -1000 })
  const view = await collect(world, invoiceFor(customer))
  expect(view).toMatchObject({
    status: 'paid',
    totalMinor: 6912n,
    balanceAppliedMinor: 1000n,
    amountPaidMinor: 5912n,
  })
})

test('an invoice that is not there is said to be so', async () => {
  await expect(world.gateway.getInvoice(world.app, 'in_none')).rejects.toMatchObject({
    code: 'stripe_invoice_not_found',
  })
  const ref = { invoiceId: 'x', stripeInvoiceId: 'in_none', generation: 1 }
  await expect(world.gateway.finalizeInvoice(world.app, ref)).rejects.toMatchObject({
    code: 'stripe_invoice_not_found',
  })
})
