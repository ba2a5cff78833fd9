import { expect, test } from 'vitest'
import { takePictures } from '../support/browser.ts'
import { waitFor } from '../support/scenario.ts'
import { stripeGet, stripePost } from '../support/stripe-client.ts'
import {
  cards,
  defaultMethod,
  methodsOf,
  openCheckout,
  paidWith,
  planKey,
  press,
  subscribe,
  typeCard,
} from './walks.ts'
import type { Walks } from './walks.ts'

/** Checkout, on the sandbox's own page and within a page of the shop. */
export function checkoutTests(walks: Walks): void {
  const saved = () => `${walks.shop.url}/saved**`

  /** What came of `setup_intent.succeeded`. */
  async function setupOutcome(setupIntentId: string): Promise<string | null> {
    const event = await waitFor(
      async () =>
        await walks.installation.database.db
          .selectFrom('stripeEvents')
          .select('outcome')
          .where('type', '=', 'setup_intent.succeeded')
          .where('sourceId', '=', setupIntentId)
          .executeTakeFirst(),
      (found) => found?.outcome != null,
    )
    return event?.outcome ?? null
  }

  test('a card is saved, a subscription is created, and its first invoice is paid with that card', async () => {
    const session = await openCheckout(walks, 'saves')
    const page = await walks.newPage()
    await page.goto(session.url ?? '')
    await typeCard(page, cards.good)
    await takePictures(page, 'checkout')
    await press(page, 'Save card')
    await page.waitForURL(saved())
    expect(new URL(page.url()).searchParams.get('session')).toBe(session.sessionId)

    const method = await defaultMethod(walks, 'saves')
    expect(await setupOutcome(session.setupIntentId)).toBe('linked')
    const { invoice } = await subscribe(walks, 'saves', 'paid')
    expect(invoice.totals.total).toBe('20.00')
    expect(await paidWith(walks, invoice)).toEqual({ id: method, last4: '4242' })

    await page.goto(session.url ?? '')
    expect(await page.getByText('Thank you').isVisible()).toBe(true)
    await takePictures(page, 'checkout-complete')
  })

  test('a card that asks for 3-D Secure is saved once the bank is answered', async () => {
    const session = await openCheckout(walks, 'passes')
    const page = await walks.newPage()
    await page.goto(session.url ?? '')
    await typeCard(page, cards.secureAtSetup)
    await press(page, 'Save card')
    await page.getByRole('heading', { name: '3D Secure' }).waitFor()
    await takePictures(page, 'bank')
    await press(page, 'Complete')
    await page.waitForURL(saved())
    await defaultMethod(walks, 'passes')
    const { invoice } = await subscribe(walks, 'passes', 'paid')
    expect(await paidWith(walks, invoice)).toMatchObject({ last4: '3155' })
  })

  test('3-D Secure that fails saves nothing and says so; another card is taken on the same page', async () => {
    const session = await openCheckout(walks, 'fails')
    const page = await walks.newPage()
    await page.goto(session.url ?? '')
    await typeCard(page, cards.secureAtSetup)
    await press(page, 'Save card')
    await press(page, 'Fail')
    const alert = page.getByRole('alert')
    expect(await alert.textContent()).toMatch(/unable to authenticate your payment method/)
    await takePictures(page, 'checkout-3ds-failed')
    expect(await methodsOf(walks, session.stripeCustomerId)).toEqual([])
    await typeCard(page, cards.good)
    await press(page, 'Save card')
    await page.waitForURL(saved())
    await defaultMethod(walks, 'fails')
    expect(await methodsOf(walks, session.stripeCustomerId)).toEqual(['4242'])
  })

  test('a declined card is told, the page stays, and the customer still cannot subscribe', async () => {
    const session = await openCheckout(walks, 'declined')
    const page = await walks.newPage()
    await page.goto(session.url ?? '')
    await typeCard(page, cards.declined)
    await press(page, 'Save card')
    expect(await page.getByRole('alert').textContent()).toBe('Your card was declined.')
    expect(new URL(page.url()).pathname).toBe(new URL(session.url ?? '').pathname)
    expect(await page.getByLabel('Name on card').inputValue()).toBe('Ada Lovelace')
    await takePictures(page, 'checkout-declined')
    await expectNothingSaved('declined', session.stripeCustomerId)
  })

  test('who cancels is led back to the shop, and nothing is set', async () => {
    const session = await openCheckout(walks, 'cancels')
    const page = await walks.newPage()
    await page.goto(session.url ?? '')
    await page.getByLabel('Card number').fill(cards.good)
    await page.getByRole('link', { name: 'Cancel' }).click()
    await page.getByRole('heading', { name: '/cart' }).waitFor()
    await expectNothingSaved('cancels', session.stripeCustomerId)
    await page.goBack()
    expect(await page.getByLabel('Card number').isVisible(), 'it can still be completed').toBe(true)
  })

  async function expectNothingSaved(key: string, stripeCustomerId: string): Promise<void> {
    expect(await methodsOf(walks, stripeCustomerId)).toEqual([])
    const link = await walks.client.customers.stripe.get(key)
    expect(link?.stripeDefaultPaymentMethodId).toBeUndefined()
    await expect(subscribe(walks, key, 'paid')).rejects.toThrow('payment_method_missing')
  }

  test('a billing address and a VAT number reach the customer at Stripe, and the invoice is taxed by them', async () => {
    const { call, sandboxUrl } = walks.installation
    const session = await openCheckout(walks, 'taxed', {
      billingAddressCollection: 'required',
      taxIdCollection: { enabled: true },
    })
    await call('PUT', `/api/v1/billing/customers/${session.customerId}`, {
      workflow: { tax: { enabled: true, enforced: true } },
    })
    const page = await walks.newPage()
    await page.goto(session.url ?? '')
    await takePictures(page, 'checkout-taxed')
    await typeCard(page, cards.good)
    await page.getByLabel('Country or region').selectOption('Germany')
    await page.getByLabel('Address line 1').fill('Unter den Linden 1')
    await page.getByLabel('Postal code').fill('10117')
    await page.getByLabel('City').fill('Berlin')
    await page.getByLabel('Business name').fill('Analytical Engines GmbH')
    await page.getByLabel('Tax ID').fill('not one')
    await press(page, 'Save card')
    expect(await page.getByRole('alert').textContent()).toMatch(/^Your tax ID is not valid/)
    await takePictures(page, 'checkout-taxed-refused')
    expect(await page.getByLabel('City').inputValue(), 'what was typed is kept').toBe('Berlin')
    await typeCard(page, cards.good)
    await page.getByLabel('Tax ID').fill('DE123456789')
    await press(page, 'Save card')
    await page.waitForURL(saved())

    await defaultMethod(walks, 'taxed')
    const path = `customers/${session.stripeCustomerId}?expand[]=tax_ids`
    expect(await stripeGet(sandboxUrl, path)).toMatchObject({
      name: 'Analytical Engines GmbH',
      address: { line1: 'Unter den Linden 1', postal_code: '10117', city: 'Berlin', country: 'DE' },
      tax_ids: { data: [{ type: 'eu_vat', value: 'DE123456789' }] },
    })
    const { invoice } = await subscribe(walks, 'taxed', 'paid')
    expect(invoice.totals).toMatchObject({ taxesTotal: '4.00', total: '24.00' })
    const atStripe = await stripeGet(sandboxUrl, `invoices/${invoice.externalIds?.invoicing ?? ''}`)
    expect(atStripe).toMatchObject({
      amount_paid: 2400,
      customer_address: { country: 'DE' },
      customer_tax_ids: [{ type: 'eu_vat', value: 'DE123456789' }],
    })
  })

  test('a session within the shop’s own page ends at the return address', async () => {
    const session = await openCheckout(walks, 'embedded', {
      uiMode: 'embedded',
      returnURL: `${walks.shop.url}/returned?session={CHECKOUT_SESSION_ID}`,
    })
    walks.shop.embed(`${walks.installation.sandboxUrl}/c/embedded/${session.clientSecret ?? ''}`)
    const page = await walks.newPage()
    await page.goto(`${walks.shop.url}/embedding`)
    const frame = page.frameLocator('iframe')
    await typeCard(frame, cards.secureAtSetup)
    await takePictures(page, 'checkout-embedded')
    await press(frame, 'Save card')
    await press(frame, 'Complete')
    await frame.getByRole('heading', { name: '/returned' }).waitFor()
    expect(page.frames().map((each) => each.url())).toContain(
      `${walks.shop.url}/returned?session=${session.sessionId}`,
    )
    await defaultMethod(walks, 'embedded')
  })

  test('who subscribes on a page that was opened at Stripe has a customer and a subscription here', async () => {
    const { call, sandboxUrl } = walks.installation
    const price = await stripePost(sandboxUrl, 'prices', {
      currency: 'usd',
      unit_amount: '3000',
      'recurring[interval]': 'month',
      'product_data[name]': 'Team',
    })
    await call('PUT', `/api/v1/apps/${walks.scenario.appId}/stripe/plan-mappings/${price.id}`, { planKey })
    const session = await stripePost<{ id: string; url: string }>(sandboxUrl, 'checkout/sessions', {
      mode: 'subscription',
      'line_items[0][price]': price.id,
      'line_items[0][quantity]': '1',
      success_url: `${walks.shop.url}/saved`,
      cancel_url: `${walks.shop.url}/cart`,
    })
    const page = await walks.newPage()
    await page.goto(session.url)
    await page.getByText('$30.00 due today').waitFor()
    await page.getByLabel('Email').fill('grace@example.com')
    await typeCard(page, cards.good)
    await takePictures(page, 'checkout-subscription')
    await press(page, 'Subscribe')
    await page.waitForURL(saved())
    const { customer, subscription } = await stripeGet<{ customer: string; subscription: string }>(
      sandboxUrl,
      `checkout/sessions/${session.id}`,
    )
    const ours = await waitFor(
      async () => await importOf(subscription),
      (found) => found?.status === 'imported',
    )
    expect(await call('GET', `/api/v1/subscriptions/${ours?.subscriptionId ?? ''}`)).toMatchObject({
      plan: { key: planKey },
      stripe: { subscriptionId: subscription },
    })
    const made = { key: customer, name: 'Ada Lovelace', primaryEmail: 'grace@example.com' }
    expect(await call('GET', `/api/v1/customers/${customer}`)).toMatchObject(made)
    expect(await methodsOf(walks, customer)).toEqual(['4242'])
  })

  async function importOf(stripeSubscriptionId: string) {
    const path = `/api/v1/apps/${walks.scenario.appId}/stripe/subscriptions?pageSize=1000`
    const { items } = await walks.installation.call<{ items: readonly Imported[] }>('GET', path)
    return items.find((each) => each.stripeSubscriptionId === stripeSubscriptionId)
  }
}

interface Imported {
  readonly stripeSubscriptionId: string
  readonly subscriptionId?: string
  readonly status: string
}
