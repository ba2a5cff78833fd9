import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { answered } from '../sdk/checked-client.ts'
import { takePictures } from '../support/browser.ts'
import { stripeGet } from '../support/stripe-client.ts'
import {
  cards,
  defaultMethod,
  untilForgotten,
  methodsOf,
  paidWith,
  press,
  saveCard,
  subscribe,
  typeCard,
  untilInvoice,
} from './walks.ts'
import type { Walks } from './walks.ts'

/** What customers do by themselves. */
export function portalTests(walks: Walks): void {
  const { call, sandboxUrl } = walks.installation
  const portalOf = async (key: string): Promise<string> => {
    const returnUrl = `${walks.shop.url}/account`
    const portal = answered(await walks.client.customers.stripe.createPortalSession(key, { returnUrl }))
    expect(portal.returnUrl).toBe(returnUrl)
    return portal.url
  }

  test('a card is added and is charged from then on, the old one is removed, and it leads back', async () => {
    const { page, method, stripeCustomerId } = await saveCard(walks, 'changes', cards.good)
    const { subscriptionId } = await subscribe(walks, 'changes', 'paid')
    await page.goto(await portalOf('changes'))
    await takePictures(page, 'portal')
    await page.getByText('Add a card').click()
    await typeCard(page, cards.declined)
    await press(page, 'Add card')
    expect(await page.getByRole('alert').textContent()).toBe('Your card was declined.')
    await typeCard(page, cards.mastercard)
    await takePictures(page, 'portal-add')
    await press(page, 'Add card')
    const row = (name: string) => page.getByRole('listitem').filter({ hasText: name })
    await row('Mastercard ending in 4444').getByText('Default').waitFor()
    const added = await defaultMethod(walks, 'changes', (id) => id !== method)
    await row('Visa ending in 4242').getByRole('button', { name: 'Make default' }).click()
    await row('Visa ending in 4242').getByText('Default').waitFor()
    await defaultMethod(walks, 'changes', (id) => id === method)
    await takePictures(page, 'portal-two-cards')
    await row('Mastercard ending in 4444').getByRole('button', { name: 'Make default' }).click()
    await row('Mastercard ending in 4444').getByText('Default').waitFor()
    await row('Visa ending in 4242').getByRole('button', { name: 'Remove' }).click()
    await row('Visa ending in 4242').waitFor({ state: 'detached' })
    expect(await methodsOf(walks, stripeCustomerId)).toEqual(['4444'])
    await untilForgotten(walks, 'changes', method)
    await page.getByRole('link', { name: 'Return' }).click()
    await page.getByRole('heading', { name: '/account' }).waitFor()

    const usage = { specversion: '1.0', id: 'last', source: 'shop', type: 'request', subject: 'changes' }
    await call('POST', '/api/v1/events', { ...usage, data: { tokens: 1000 } })
    await call('POST', `/api/v1/subscriptions/${subscriptionId}/cancel`, { timing: 'immediate' })
    const final = await untilInvoice(walks, { subscriptionId, position: 1 }, 'paid')
    expect(await paidWith(walks, final)).toEqual({ id: added, last4: '4444' })
  })

  test('the billing address is changed, and the next reader of the Stripe customer has it', async () => {
    const { page, stripeCustomerId } = await saveCard(walks, 'moves', cards.good)
    await page.goto(await portalOf('moves'))
    await page.getByText('Update information').click()
    await page.getByLabel('Country or region').selectOption('Austria')
    await page.getByLabel('Address line 1').fill('Gasse 1')
    await page.getByLabel('Postal code').fill('1010')
    await page.getByLabel('City').fill('Wien')
    await page.getByLabel('Tax ID').fill('ATU12345678')
    await takePictures(page, 'portal-update')
    await press(page, 'Save')
    await page.getByText('1010 Wien').waitFor()
    await takePictures(page, 'portal-updated')
    expect(await stripeGet(sandboxUrl, `customers/${stripeCustomerId}?expand[]=tax_ids`)).toMatchObject({
      address: { country: 'AT', line1: 'Gasse 1', postal_code: '1010', city: 'Wien' },
      tax_ids: { data: [{ value: 'ATU12345678' }] },
    })
  })

  test('the history lists the invoice, its page and its PDF', async () => {
    const { page } = await saveCard(walks, 'reads', cards.good)
    const { invoice } = await subscribe(walks, 'reads', 'paid')
    await page.goto(await portalOf('reads'))
    const row = page.getByRole('row').filter({ hasText: invoice.number })
    expect(await row.textContent()).toMatch(/paid\s*\$20\.00/)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      row.getByRole('link', { name: 'PDF' }).click(),
    ])
    expect(download.suggestedFilename()).toBe(`Invoice-${invoice.number}.pdf`)
    const pdf = await readFile(await download.path(), 'latin1')
    expect(pdf).toMatch(/^%PDF/)
    expect(pdf).toContain(`Invoice ${invoice.number}`)
    await row.getByRole('link', { name: invoice.number }).click()
    await page.getByText('This invoice is paid.').waitFor()
  })
}
