import { apiClient } from '../cli/api-client.ts'
import { demoInvoices } from './demo/invoices.ts'
import type { DemoInvoice } from './demo/invoices.ts'
import { stripeClient } from './demo/stripe.ts'
import type { StripeCalls, StripeInvoice } from './demo/stripe.ts'
import type { DemoCustomer } from './demo/customers.ts'
import type { Instance } from './stack.ts'

interface StripePage {
  readonly data: readonly StripeInvoice[]
  readonly has_more: boolean
}

export interface Verification {
  readonly invoices: number
  /** What does not hold, for people; empty when all does. */
  readonly differences: readonly string[]
}

/** Four base fees at the start, then one invoice for each of three months. */
const invoicesPerCustomer = 4

/** Compares every invoice with Stripe's, over both HTTP APIs: the same invoices, the same totals, all paid. */
export async function verifyInvoices(
  instance: Instance,
  customers: readonly DemoCustomer[],
): Promise<Verification> {
  const ours = await demoInvoices(
    apiClient(instance.apiUrl),
    customers.map((customer) => customer.id),
  )
  const stripe = stripeClient(instance.stripeUrl, instance.stripeApiKey)
  const theirs = new Map<string, StripeInvoice>()
  for (const customer of customers) {
    for (const invoice of await invoicesAtStripe(stripe, customer.stripeCustomerId))
      theirs.set(invoice.id, invoice)
  }
  const expected = customers.length * invoicesPerCustomer
  const differences: string[] = []
  if (ours.length !== expected)
    differences.push(`${expected} invoices were expected, there are ${ours.length}`)
  if (theirs.size !== ours.length)
    differences.push(`Stripe has ${theirs.size} invoices, Perennial ${ours.length}`)
  differences.push(...ours.flatMap((invoice) => compare(invoice, theirs)))
  return { invoices: ours.length, differences }
}

function compare(invoice: DemoInvoice, theirs: ReadonlyMap<string, StripeInvoice>): readonly string[] {
  const atStripe = theirs.get(invoice.stripeInvoiceId ?? '')
  if (atStripe === undefined) return [`${invoice.number} is not at Stripe`]
  const found: string[] = []
  const minor = minorUnits(invoice.total)
  if (minor !== BigInt(atStripe.total))
    found.push(`${invoice.number}: total ${minor} here, ${atStripe.total} at Stripe`)
  if (invoice.currency.toLowerCase() !== atStripe.currency)
    found.push(`${invoice.number}: currency ${atStripe.currency} at Stripe`)
  if (invoice.status !== 'paid' || atStripe.status !== 'paid') {
    found.push(`${invoice.number}: ${invoice.status} here, ${atStripe.status} at Stripe`)
  }
  return found
}

/** Dollars as text to cents: the demo bills in USD. */
function minorUnits(total: string): bigint {
  const [whole = '0', fraction = ''] = total.split('.')
  return BigInt(`${whole}${fraction.padEnd(2, '0').slice(0, 2)}`)
}

async function invoicesAtStripe(stripe: StripeCalls, customer: string): Promise<readonly StripeInvoice[]> {
  const found: StripeInvoice[] = []
  for (;;) {
    const after = found.at(-1)?.id
    const query = new URLSearchParams({
      customer,
      limit: '100',
      ...(after === undefined ? {} : { starting_after: after }),
    })
    const page = await stripe.get<StripePage>(`/v1/invoices?${query.toString()}`)
    found.push(...page.data)
    if (!page.has_more) return found
  }
}
