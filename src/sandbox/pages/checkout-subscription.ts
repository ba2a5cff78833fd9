import { lineItemsOf } from '../checkout/subscription-mode.ts'
import type { Context } from '../context.ts'
import { formatAmount } from '../currencies.ts'
import type { PriceRecord, SessionRecord } from '../records.ts'
import type { Html } from './html.ts'
import { html } from './html.ts'

function intervalWords({ recurring }: PriceRecord): string {
  if (recurring === null) return ''
  const { interval, interval_count: count } = recurring
  return count === 1 ? `per ${interval}` : `every ${count} ${interval}s`
}

/** What is bought, how often it is charged, and what is due today. */
export function subscriptionSummary(ctx: Context, session: SessionRecord): Html {
  const amount = (value: number) => formatAmount(value, session.currency ?? 'usd')
  const rows = lineItemsOf(ctx, session).map(
    ({ description, price, quantity }) =>
      html`<tr>
        <td>${quantity} × ${description ?? price.id}</td>
        <td class="amount">
          ${amount(price.unit_amount ?? Number(price.unit_amount_decimal))} ${intervalWords(price)}
        </td>
      </tr>`,
  )
  const days = session._subscription?.trialPeriodDays ?? null
  const trial = days === null ? null : html`<p class="soft">${days} days free, then charged by itself.</p>`
  return html`<aside>
    <h1>Subscribe</h1>
    <p class="sum">${amount(session.amount_total ?? 0)} due today</p>
    ${trial}
    <table>
      ${rows}
    </table>
  </aside>`
}
