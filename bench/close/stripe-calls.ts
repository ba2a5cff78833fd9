import { Stripe } from 'stripe'

/** The requests that our closing makes, in their order, with as little in them as the sandbox takes. */
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
    await stripe.invoices.list({ customer, limit: 100 })
    const { id } = await stripe.invoices.create({
      customer,
      currency: 'usd',
      auto_advance: false,
      pending_invoice_items_behavior: 'exclude',
    })
    if (id === undefined) throw new Error('an invoice without an id')
    await stripe.invoices.addLines(id, {
      lines: [
        { amount: 2000, description: 'Base fee' },
        { amount: 100, description: 'Usage' },
      ],
    })
    await stripe.invoices.update(id, { number: own })
    await stripe.invoices.finalizeInvoice(id, { auto_advance: false })
    await stripe.invoices.pay(id)
  }
}
