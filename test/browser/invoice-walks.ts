import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { CustomerAccess } from '../../src/api/schemas/access.ts'
import { takePictures } from '../support/browser.ts'
import { waitFor } from '../support/scenario.ts'
import { cards, paidWith, press, saveCard, subscribe, typeCard, untilInvoice } from './walks.ts'
import type { ListedInvoice, Walks } from './walks.ts'

/** What cannot be charged by itself is paid on its page, which `GET /api/v1/subscriptions/{id}/invoices` links to. */
export function invoiceTests(walks: Walks): void {
  const { call } = walks.installation
  const accessOf = async (customerId: string) =>
    (await call<CustomerAccess>('GET', `/api/v1/customers/${customerId}/access`)).subscriptions[0]?.access
  const payFirst = async (customerId: string): Promise<void> => {
    await call('PUT', `/api/v1/billing/customers/${customerId}`, { access: { gate: 'first_invoice' } })
  }

  /** The page says so, then we do, then the gate opens. */
  async function expectPaid(page: Page, subscriptionId: string, customerId: string): Promise<ListedInvoice> {
    await page.getByText('This invoice is paid.').waitFor()
    const paid = await untilInvoice(walks, { subscriptionId }, 'paid')
    expect(paid.paymentUrl, 'nothing is left to pay').toBeUndefined()
    await waitFor(
      async () => await accessOf(customerId),
      (access) => access === 'granted',
    )
    return paid
  }

  test('one that needs 3-D Secure is confirmed there, also after a failure, and opens the gate', async () => {
    const { page, customerId } = await saveCard(walks, 'confirms', cards.secureAlways)
    await payFirst(customerId)
    const { subscriptionId, invoice } = await subscribe(walks, 'confirms', 'issued.action_required')
    expect(await accessOf(customerId)).toBe('pending_payment')
    await page.goto(invoice.paymentUrl ?? '')
    await takePictures(page, 'invoice-confirm')
    await page.getByRole('link', { name: 'Confirm with Visa ending in 3184' }).click()
    await page.getByText('$20.00').waitFor()
    await takePictures(page, 'bank-sum')
    await press(page, 'Fail')
    expect(await page.getByRole('alert').textContent()).toMatch(/unable to authenticate/)
    await takePictures(page, 'invoice-3ds-failed')
    expect(await accessOf(customerId)).toBe('pending_payment')

    await press(page, 'Pay with Visa ending in 3184')
    await press(page, 'Complete')
    const paid = await expectPaid(page, subscriptionId, customerId)
    expect(await paidWith(walks, paid)).toMatchObject({ last4: '3184' })
    await takePictures(page, 'invoice-paid')
  })

  test('one whose card declined is paid there with another card, after one that declines too', async () => {
    const { page, customerId } = await saveCard(walks, 'unlucky', cards.declinedLater)
    await payFirst(customerId)
    const { subscriptionId, invoice } = await subscribe(walks, 'unlucky', 'issued.payment_failed')
    await page.goto(invoice.paymentUrl ?? '')
    await press(page, 'Pay with Visa ending in 0341')
    expect(await page.getByRole('alert').textContent()).toBe('Your card was declined.')
    await typeCard(page, cards.declined)
    await press(page, 'Pay $20.00')
    expect(await page.getByRole('alert').textContent()).toBe('Your card was declined.')
    await takePictures(page, 'invoice-declined')
    expect(await accessOf(customerId)).toBe('pending_payment')

    await typeCard(page, cards.good)
    await takePictures(page, 'invoice-other-card')
    await press(page, 'Pay $20.00')
    const paid = await expectPaid(page, subscriptionId, customerId)
    expect(await paidWith(walks, paid)).toMatchObject({ last4: '4242' })
  })
}
