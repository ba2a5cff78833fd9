import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { CheckedClient } from '../sdk/checked-client.ts'
import { answered, checkedClient } from '../sdk/checked-client.ts'
import { startBrowser } from '../support/browser.ts'
import { checkouts } from '../support/checkout.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { startShop } from '../support/shop.ts'
import type { Shop } from '../support/shop.ts'
import { stripeGet } from '../support/stripe-client.ts'

/** An installation, a shop that bills with it, and a person at a browser. */
export interface Walks extends Pick<CheckedClient, 'client'> {
  readonly installation: Installation
  readonly scenario: Scenario
  readonly shop: Shop
  /** A page in a browser that nobody has used. */
  readonly newPage: () => Promise<Page>
  readonly closePages: () => Promise<void>
  readonly close: () => Promise<void>
}

export const planKey = 'tokens_monthly'

export async function startWalks(): Promise<Walks> {
  // First: if it does not start, nothing else is left running.
  const browser = await startBrowser()
  const [installation, shop] = await Promise.all([startInstallation(), startShop()])
  const scenario = await startScenario(installation)
  await addTokenPlan(installation)
  const { client } = checkedClient(installation.url)
  const close = async (): Promise<void> => {
    await browser.close()
    await shop.close()
    await installation.close()
  }
  return { installation, scenario, shop, client, close, ...pagesOf(browser) }
}

/** For what never comes, on machines that are busy too. */
const PATIENCE_MS = 60_000

function pagesOf(browser: Browser) {
  const contexts: BrowserContext[] = []
  return {
    newPage: async (): Promise<Page> => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
      context.setDefaultTimeout(PATIENCE_MS)
      contexts.push(context)
      return await context.newPage()
    },
    closePages: async (): Promise<void> => {
      await Promise.all(contexts.splice(0).map(async (context) => await context.close()))
    },
  }
}

type CheckoutOptions = Parameters<Walks['client']['apps']['stripe']['createCheckoutSession']>[0]['options']

/** Opens Checkout with the published client for a customer who is made by it, if there is none of that key. */
export async function openCheckout({ client, shop }: Walks, key: string, options: CheckoutOptions = {}) {
  const hosted =
    options.uiMode === 'embedded'
      ? {}
      : { successURL: `${shop.url}/saved?session={CHECKOUT_SESSION_ID}`, cancelURL: `${shop.url}/cart` }
  return answered(
    await client.apps.stripe.createCheckoutSession({
      customer: {
        key,
        name: 'Ada Lovelace',
        primaryEmail: `${key}@example.com`,
        currency: 'USD',
        usageAttribution: { subjectKeys: [key] },
      },
      options: { currency: 'USD', ...hosted, ...options },
    }),
  )
}

/** Test cards of Stripe [stripe docs: testing]. */
export const cards = {
  good: '4242 4242 4242 4242',
  mastercard: '5555 5555 5555 4444',
  declined: '4000 0000 0000 0002',
  declinedLater: '4000 0000 0000 0341',
  secureAtSetup: '4000 0025 0000 3155',
  secureAlways: '4000 0027 6000 3184',
} as const

/** Types a card as a person does, into a page or a frame of it. */
export async function typeCard(page: Pick<Page, 'getByLabel'>, number: string): Promise<void> {
  await page.getByLabel('Card number').fill(number)
  await page.getByLabel('Expiry').fill('12 / 40')
  await page.getByLabel('Security code').fill('123')
  await page.getByLabel('Name on card').fill('Ada Lovelace')
}

export async function press(page: Pick<Page, 'getByRole'>, name: string): Promise<void> {
  await page.getByRole('button', { name }).click()
}

/** The default payment method of our customer, once it satisfies. */
export async function defaultMethod(
  { client }: Walks,
  key: string,
  isWanted: (id: string) => boolean = () => true,
): Promise<string> {
  const link = await waitFor(
    async () => answered(await client.customers.stripe.get(key)),
    ({ stripeDefaultPaymentMethodId: id }) => id !== undefined && isWanted(id),
  )
  return link.stripeDefaultPaymentMethodId ?? ''
}

/** Waits until a method is not what our customer is charged to: another one is named, or none and Stripe's default counts. */
export async function untilForgotten({ client }: Walks, key: string, method: string): Promise<void> {
  await waitFor(
    async () => answered(await client.customers.stripe.get(key)),
    ({ stripeDefaultPaymentMethodId: id }) => id !== method,
  )
}

/** An invoice of a subscription as the API lists it. */
export interface ListedInvoice {
  readonly id: string
  readonly number: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string }
  readonly totals: { readonly taxesTotal: string; readonly total: string }
  readonly externalIds?: { readonly invoicing: string }
  readonly paymentUrl?: string
  readonly invoicePdfUrl?: string
}

/** Subscribes and waits for the first invoice to be as said, e.g. `paid` or `issued.payment_failed`. */
export async function subscribe(walks: Walks, customerKey: string, wanted: string) {
  const { id } = await walks.installation.call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerKey,
    plan: { key: planKey },
  })
  return { subscriptionId: id, invoice: await untilInvoice(walks, { subscriptionId: id }, wanted) }
}

export async function untilInvoice(
  { installation }: Walks,
  { subscriptionId, position = 0 }: { readonly subscriptionId: string; readonly position?: number },
  wanted: string,
): Promise<ListedInvoice> {
  const path = `/api/v1/subscriptions/${subscriptionId}/invoices?order=ASC`
  const invoice = await waitFor(
    async () => (await installation.call<{ items: readonly ListedInvoice[] }>('GET', path)).items[position],
    (found) => found?.status === wanted || found?.statusDetails.extendedStatus === wanted,
  )
  return answered(invoice)
}

interface InvoicePayments {
  readonly data: readonly { readonly status: string; readonly payment: { readonly payment_intent: string } }[]
}

/** What an invoice was paid with at Stripe: payment method and the last digits of its card. */
export async function paidWith({ installation }: Walks, { externalIds }: ListedInvoice) {
  const { sandboxUrl } = installation
  const path = `invoice_payments?invoice=${externalIds?.invoicing ?? ''}&status=paid`
  const { data } = await stripeGet<InvoicePayments>(sandboxUrl, path)
  const intent = answered(data[0]).payment.payment_intent
  const { payment_method: id } = await stripeGet<{ payment_method: string }>(
    sandboxUrl,
    `payment_intents/${intent}`,
  )
  const { card } = await stripeGet<{ card: { last4: string } }>(sandboxUrl, `payment_methods/${id}`)
  return { id, last4: card.last4 }
}

/** The last digits of the cards of a Stripe customer. */
export async function methodsOf(
  { installation }: Walks,
  stripeCustomerId: string,
): Promise<readonly string[]> {
  const path = `customers/${stripeCustomerId}/payment_methods`
  const { data } = await stripeGet<{ data: { card: { last4: string } }[] }>(installation.sandboxUrl, path)
  return data.map(({ card }) => card.last4)
}

/** A customer who saves a card on the page, answering the bank where it asks; nothing of it is still to come. */
export async function saveCard(walks: Walks, key: string, card: string) {
  const session = await openCheckout(walks, key)
  const page = await walks.newPage()
  await page.goto(session.url ?? '')
  await typeCard(page, card)
  await press(page, 'Save card')
  if (card === cards.secureAlways) await press(page, 'Complete')
  await page.waitForURL(`${walks.shop.url}/saved**`)
  await checkouts(walks.installation).heard(session)
  const method = await defaultMethod(walks, key)
  return { page, method, customerId: session.customerId, stripeCustomerId: session.stripeCustomerId }
}
