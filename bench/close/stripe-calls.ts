import { randomUUID } from 'node:crypto'
import { Stripe } from 'stripe'

/** As Stripe is asked for what became of a payment. */
const EXPANDED = ['payments.data.payment.payment_intent']

/** The requests that our closing makes, in their order and with their fields; the mark of the floor's invoices is its own. */
export function stripeCalls(sandboxUrl: string): (customer: string) => Promise<void> {
  const { hostname, port } = new URL(sandboxUrl)
  const stripe = new Stripe('sk_test_sandbox', {
    host: hostname,
    port,
    protocol: 'http',
    maxNetworkRetries: 0,
    telemetry: false,
  })
  let number = 0
  return async (customer) => {
    const own = `F-${process.pid}-${(number += 1)}`
    const under = (step: string) => ({ idempotencyKey: `${step}:${randomUUID()}:g1` })
    const now = Math.floor(Date.now() / 1000)
    const line = { discountable: false, period: { start: now - 60, end: now } }
    const { id } = await stripe.invoices.create(
      {
        customer,
        currency: 'usd',
        collection_method: 'charge_automatically',
        auto_advance: false,
        pending_invoice_items_behavior: 'exclude',
        discounts: '',
        automatic_tax: { enabled: false },
        metadata: { floor_invoice_id: own, floor_subscription_id: own },
      },
      under('create'),
    )
    if (id === undefined) throw new Error('an invoice without an id')
    const lines = [
      { ...line, amount: 2000, description: 'Base fee: 1 month', metadata: { floor_line_id: `${own}-1` } },
      { ...line, amount: 100, description: 'Usage: 250 tokens', metadata: { floor_line_id: `${own}-2` } },
    ]
    await stripe.invoices.addLines(id, { lines }, under('lines'))
    await stripe.invoices.update(id, { number: own }, under('number'))
    await stripe.invoices.finalizeInvoice(id, { auto_advance: false, expand: EXPANDED }, under('finalize'))
    await stripe.invoices.pay(id, { expand: EXPANDED }, under('pay'))
  }
}
