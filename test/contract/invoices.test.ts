import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ulid } from 'ulid'
import { classifyStripeError } from '../../src/stripe/failures.ts'
import type { InvoiceToSync, SyncedInvoice } from '../../src/stripe/invoice-types.ts'
import { collect, customerWith, invoiceFor, linesOf } from '../stripe/world.ts'
import { contractTargets } from './target.ts'
import type { ContractTarget } from './target.ts'

describe.each(contractTargets())('what collecting takes for granted of $name', ({ start }) => {
  let target: ContractTarget
  beforeAll(async () => {
    target = await start()
  })
  afterAll(() => target.close())

  const refOf = (invoice: InvoiceToSync, { stripeInvoiceId }: SyncedInvoice) => ({
    invoiceId: invoice.invoiceId,
    stripeInvoiceId,
    generation: invoice.generation,
  })
  async function opened(invoice: InvoiceToSync) {
    const ref = refOf(invoice, await target.gateway.syncInvoice(target.app, invoice))
    await target.gateway.finalizeInvoice(target.app, ref)
    return ref
  }

  test('a good card pays an invoice whose lines are integer amounts of ours', async () => {
    const customer = await customerWith(target)
    const number = `T-${ulid().slice(-12)}`
    const view = await collect(target, invoiceFor(customer, { number }))
    expect(view).toMatchObject({
      status: 'paid',
      number,
      currency: 'USD',
      subtotalMinor: 6912n,
      totalMinor: 6912n,
      amountPaidMinor: 6912n,
      amountRemainingMinor: 0n,
      payment: { kind: 'succeeded' },
    })
    expect(view.hostedUrl).toMatch(/^https?:/)
    expect(view.pdfUrl).toMatch(/^https?:/)
    const lines = await target.stripe.invoices.listLineItems(view.stripeInvoiceId, { limit: 100 })
    expect(lines.data.map((line) => line.amount).toSorted((a, b) => a - b)).toEqual([1234, 5678])
    expect(new Set(lines.data.map((line) => line.metadata['perennial_line_id']))).toEqual(
      new Set(['line-0', 'line-1']),
    )
  })

  test('rule 31: a repeated sync finds the invoice by its id in the metadata and adds no line twice', async () => {
    const customer = await customerWith(target)
    const invoice = invoiceFor(customer)
    const first = await target.gateway.syncInvoice(target.app, invoice)
    const again = await target.gateway.syncInvoice(target.app, { ...invoice, generation: 2 })
    expect(again).toMatchObject({ stripeInvoiceId: first.stripeInvoiceId, adopted: true })
    const view = await target.gateway.getInvoice(target.app, first.stripeInvoiceId)
    expect(view).toMatchObject({ status: 'draft', invoiceId: invoice.invoiceId, subtotalMinor: 6912n })
    await target.gateway.deleteDraft(target.app, first.stripeInvoiceId)
    await target.gateway.deleteDraft(target.app, first.stripeInvoiceId)
  })

  test('rule 17: a line that somebody added to our draft is noticed before it is finalized', async () => {
    const customer = await customerWith(target)
    const invoice = invoiceFor(customer)
    const { stripeInvoiceId } = await target.gateway.syncInvoice(target.app, invoice)
    await target.stripe.invoiceItems.create({
      customer,
      invoice: stripeInvoiceId,
      amount: 100,
      currency: 'usd',
    })
    const refusal = await target.gateway.syncInvoice(target.app, invoice).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: 'stripe_totals_differ' })
    await target.gateway.deleteDraft(target.app, stripeInvoiceId)
  })

  test('more than a hundred lines are added in several calls', async () => {
    const amounts = Array.from({ length: 130 }, (_, index) => BigInt(index + 1))
    const invoice = invoiceFor(await customerWith(target), { lines: linesOf(amounts) })
    const { stripeInvoiceId } = await target.gateway.syncInvoice(target.app, invoice)
    const view = await target.gateway.getInvoice(target.app, stripeInvoiceId)
    expect(view.subtotalMinor).toBe(amounts.reduce((sum, amount) => sum + amount, 0n))
    await target.gateway.deleteDraft(target.app, stripeInvoiceId)
  })

  test('rule 18: yen are sent as they are, dinars in thousandths', async () => {
    for (const currency of ['JPY', 'KWD']) {
      const lines = linesOf([123_450n])
      const invoice = invoiceFor(await customerWith(target), { currency, lines })
      const { stripeInvoiceId } = await target.gateway.syncInvoice(target.app, invoice)
      const raw = await target.stripe.invoices.retrieve(stripeInvoiceId)
      expect([raw.currency, raw.subtotal]).toEqual([currency.toLowerCase(), 123_450])
      await target.gateway.deleteDraft(target.app, stripeInvoiceId)
    }
  })

  test('the kinds of payment method that a profile names are those of the invoice', async () => {
    const invoice = invoiceFor(await customerWith(target), { paymentMethodTypes: ['card'] })
    const { stripeInvoiceId } = await target.gateway.syncInvoice(target.app, invoice)
    const raw = await target.stripe.invoices.retrieve(stripeInvoiceId)
    expect(raw.payment_settings.payment_method_types).toEqual(['card'])
    await target.gateway.deleteDraft(target.app, stripeInvoiceId)
  })

  test('rule 31: a decline is an outcome; the attempt repeated is the same payment, the next another', async () => {
    const ref = await opened(invoiceFor(await customerWith(target, { card: 'pm_card_chargeCustomerFail' })))
    const first = await target.gateway.payInvoice(target.app, { ...ref, attempt: 1 })
    expect(first).toMatchObject({ status: 'open', payment: { kind: 'failed', code: 'card_declined' } })
    const repeated = await target.gateway.payInvoice(target.app, { ...ref, attempt: 1 })
    expect(repeated.payment.paymentId).toBe(first.payment.paymentId)
    const second = await target.gateway.payInvoice(target.app, { ...ref, attempt: 2 })
    expect(second.payment.paymentId).not.toBe(first.payment.paymentId)
    const card = await target.gateway.attachPaymentMethod(target.app, {
      stripeCustomerId: (await target.stripe.invoices.retrieve(ref.stripeInvoiceId)).customer as string,
      paymentMethodId: 'pm_card_visa',
    })
    const paid = await target.gateway.payInvoice(target.app, { ...ref, attempt: 3, paymentMethodId: card.id })
    expect(paid).toMatchObject({ status: 'paid', payment: { kind: 'succeeded' } })
  })

  test('rule 32: 3-D Secure waits for the customer, and no payment method asks for one', async () => {
    const confirm = await opened(
      invoiceFor(await customerWith(target, { card: 'pm_card_authenticationRequired' })),
    )
    const waiting = await target.gateway.payInvoice(target.app, { ...confirm, attempt: 1 })
    expect(waiting).toMatchObject({ status: 'open', payment: { kind: 'requires_action' } })
    const bare = await opened(invoiceFor(await customerWith(target, { card: null })))
    const missing = await target.gateway.payInvoice(target.app, { ...bare, attempt: 1 })
    expect(missing).toMatchObject({ status: 'open', payment: { kind: 'failed', hard: true } })
  })

  test('an e-mailed invoice has its due date and is sent', async () => {
    const customer = await customerWith(target, { card: null })
    const ref = await opened(invoiceFor(customer, { collectionMethod: 'send_invoice', daysUntilDue: 14 }))
    const sent = await target.gateway.sendInvoice(target.app, ref)
    expect(sent).toMatchObject({ status: 'open', payment: { kind: 'none' } })
    expect((sent.dueMs ?? 0) - (sent.finalizedMs ?? 0)).toBeCloseTo(14 * 86_400_000, -5)
  })

  test('voided, given up and paid elsewhere are seen as such; what is paid is not voided', async () => {
    const customer = await customerWith(target, { card: null })
    const voided = await opened(invoiceFor(customer))
    expect(await target.gateway.voidInvoice(target.app, voided)).toMatchObject({ status: 'void' })
    const lost = await opened(invoiceFor(customer))
    expect(await target.gateway.markUncollectible(target.app, lost)).toMatchObject({
      status: 'uncollectible',
    })
    const elsewhere = await opened(invoiceFor(customer))
    await target.stripe.invoices.pay(elsewhere.stripeInvoiceId, { paid_out_of_band: true })
    expect(await target.gateway.getInvoice(target.app, elsewhere.stripeInvoiceId)).toMatchObject({
      status: 'paid',
    })
    const refusal = await target.gateway.voidInvoice(target.app, elsewhere).catch(classifyStripeError)
    expect(refusal).toMatchObject({ kind: 'final' })
  })

  test('rule 21: a balance that the customer has pays its part', async () => {
    const customer = await customerWith(target)
    await target.stripe.customers.update(customer, { balance: -1000 })
    const view = await collect(target, invoiceFor(customer))
    expect(view).toMatchObject({ status: 'paid', balanceAppliedMinor: 1000n, amountPaidMinor: 5912n })
  })

  test('rule 31: a key replays its first answer, and refuses other parameters', async () => {
    const customer = await customerWith(target)
    const idempotencyKey = `contract:${ulid()}`
    const first = await target.stripe.invoices.create({ customer, description: 'one' }, { idempotencyKey })
    const again = await target.stripe.invoices.create({ customer, description: 'one' }, { idempotencyKey })
    expect(again.id).toBe(first.id)
    const other = target.stripe.invoices.create({ customer, description: 'two' }, { idempotencyKey })
    await expect(other).rejects.toMatchObject({ rawType: 'idempotency_error' })
    await target.stripe.invoices.del(first.id)
  })

  test('a draft cannot be voided, nor a finalized invoice deleted or finalized again', async () => {
    const customer = await customerWith(target, { card: null })
    const draft = await target.stripe.invoices.create({ customer })
    await expect(target.stripe.invoices.voidInvoice(draft.id)).rejects.toMatchObject({
      type: 'StripeInvalidRequestError',
    })
    await target.stripe.invoices.del(draft.id)
    const { stripeInvoiceId } = await opened(invoiceFor(customer))
    await expect(target.stripe.invoices.del(stripeInvoiceId)).rejects.toMatchObject({ statusCode: 400 })
    await expect(target.stripe.invoices.finalizeInvoice(stripeInvoiceId)).rejects.toMatchObject({
      message: expect.stringContaining('already finalized'),
    })
  })
})
