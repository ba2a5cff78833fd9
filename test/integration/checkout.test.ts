import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { startScenario, waitFor } from '../support/scenario.ts'
import { stripeGet } from '../support/stripe-client.ts'

interface Session {
  readonly customerId: string
  readonly stripeCustomerId: string
  readonly sessionId: string
  readonly setupIntentId: string
  readonly url?: string
  readonly clientSecret?: string
  readonly currency?: string
}
interface Link {
  readonly stripeCustomerId: string
  readonly stripeDefaultPaymentMethodId?: string
}
interface StripeCustomer {
  readonly id: string
  readonly email: string | null
  readonly name: string | null
  readonly invoice_settings: { readonly default_payment_method: string | null }
}

let installation: Installation
beforeAll(async () => {
  installation = await startInstallation()
  await startScenario(installation)
})
afterAll(() => installation.close())

const open = async (body: object): Promise<Session> =>
  await installation.call<Session>('POST', '/api/v1/stripe/checkout/sessions', body)

const linkOf = async (customerId: string): Promise<Link> =>
  await installation.call<Link>('GET', `/api/v1/customers/${customerId}/stripe`)

const atStripe = async (id: string): Promise<StripeCustomer> =>
  await stripeGet<StripeCustomer>(installation.sandboxUrl, `customers/${id}`)

/** Fills in the sandbox's page. */
async function complete(sessionId: string, card = '4242424242424242'): Promise<void> {
  const body = new URLSearchParams({ card })
  const page = await fetch(`${installation.sandboxUrl}/c/${sessionId}`, {
    method: 'POST',
    body,
    redirect: 'manual',
  })
  if (page.status >= 400) throw new Error(`the page answered ${page.status}`)
}

const options = { successURL: 'https://example.com/success', currency: 'USD' }

test('a checkout makes the customer here and at Stripe, and its card becomes their default', async () => {
  const session = await open({
    customer: {
      name: 'ACME, Inc.',
      key: 'acme',
      primaryEmail: 'pay@acme.test',
      usageAttribution: { subjectKeys: ['acme-app'] },
    },
    options,
  })
  expect(session).toMatchObject({ mode: 'setup', currency: 'USD', successURL: options.successURL })
  expect(session.url).toContain(session.sessionId)
  expect(await atStripe(session.stripeCustomerId)).toMatchObject({
    name: 'ACME, Inc.',
    email: 'pay@acme.test',
  })
  await complete(session.sessionId)
  const link = await waitFor(
    async () => await linkOf('acme'),
    ({ stripeDefaultPaymentMethodId }) => stripeDefaultPaymentMethodId !== undefined,
  )
  expect(link.stripeCustomerId).toBe(session.stripeCustomerId)
  const there = await atStripe(session.stripeCustomerId)
  expect(there.invoice_settings.default_payment_method).toBe(link.stripeDefaultPaymentMethodId)
})
