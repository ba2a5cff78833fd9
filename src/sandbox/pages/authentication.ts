import type { PaymentMethodRecord } from '../records.ts'
import { document, html } from './html.ts'

/** What the customer reads after failing, as Stripe's own pages say it [stripe.js]. */
export const AUTHENTICATION_FAILED =
  'We are unable to authenticate your payment method. Please choose a different payment method and try again.'

/** The bank's page, as Stripe's test page has it: one button passes, the other fails. */
export function authenticationPage(method: PaymentMethodRecord | undefined, sum: string | null): string {
  const amount = sum === null ? null : html`<p class="sum">${sum}</p>`
  const body = html`<section class="card">
    <h1>3D Secure 2 test page</h1>
    ${amount}
    <p>
      Your bank wants to know that it is you who uses the card ending in ${method?.card?.last4 ?? '····'}. In
      live mode this page is the bank's, and asks for a code or an approval in its app.
    </p>
    <form method="post">
      <div class="actions">
        <button name="outcome" value="complete">Complete</button>
        <button class="plain" name="outcome" value="fail">Fail</button>
      </div>
    </form>
  </section>`
  return document('Authentication', body, { layout: 'narrow' })
}
