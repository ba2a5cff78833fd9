import { atStripe, steer } from './client.ts'
import type { Random } from './random.ts'
import { giveCard } from './settle-in.ts'
import type { Home, Place, Resident } from './settle-in.ts'

interface Invoice {
  readonly id: string
  readonly status: string
}

interface PaymentIntent {
  readonly id: string
  readonly status: string
}

interface StripeInvoice {
  readonly hosted_invoice_url: string | null
}

/** What people do after a while: pay, bring another card, authenticate, change their mind. */
export async function act(place: Place, random: Random, home: Home): Promise<void> {
  for (const resident of home.residents) {
    await payments[resident.card]?.(place, random, resident)
    await changeMind(place, random, resident)
  }
}

type Act = (place: Place, random: Random, resident: Resident) => Promise<void>

const payments: Readonly<Partial<Record<Resident['card'], Act>>> = {
  async 'declines first'(place, random, { stripeCustomerId }) {
    if (random.chance(0.5)) await giveCard(place.sandboxUrl, stripeCustomerId, 'pm_card_visa')
  },
  async '3-D Secure'({ sandboxUrl }, random, { stripeCustomerId }) {
    const { data } = await atStripe<{ data: readonly PaymentIntent[] }>(
      sandboxUrl,
      `payment_intents?customer=${stripeCustomerId}&limit=10`,
    )
    for (const intent of data.filter(({ status }) => status === 'requires_action')) {
      const outcome = random.chance(0.8) ? 'succeed' : 'fail'
      await steer(sandboxUrl, 'POST', `/authenticate/${intent.id}`, { outcome })
    }
  },
  async 'e-mailed'({ sandboxUrl }, random, { stripeCustomerId }) {
    const { data } = await atStripe<{ data: readonly StripeInvoice[] }>(
      sandboxUrl,
      `invoices?customer=${stripeCustomerId}&status=open&limit=10`,
    )
    for (const { hosted_invoice_url: url } of data) {
      // Some are paid late, some by another try, some never.
      if (url === null || random.chance(0.3)) continue
      await fetch(url, { method: 'POST', body: new URLSearchParams({ card: '4242424242424242' }) })
    }
  },
}

/** Commands on a subscription or an invoice. A refusal is an answer: it may have ended meanwhile. */
async function changeMind(place: Place, random: Random, resident: Resident): Promise<void> {
  const { client } = place
  const wish = random.next()
  if (wish > 0.05) return
  const { items } = await client.call<{ items: readonly { id: string }[] }>(
    'GET',
    `/api/v1/customers/${resident.customerId}/subscriptions`,
  )
  const subscription = items.at(-1)?.id
  if (subscription === undefined) return
  const path = `/api/v1/subscriptions/${subscription}`
  const { canceled } = place.promises
  if (wish < 0.01) {
    const timing = wish < 0.005 ? 'immediate' : 'next_billing_cycle'
    if ((await client.ask('POST', `${path}/cancel`, { timing })).status < 400) canceled.add(subscription)
  } else if (wish < 0.02) {
    const { status } = await client.ask('POST', `${path}/unschedule-cancelation`)
    if (status < 400) canceled.delete(subscription)
  } else if (wish < 0.035) await client.ask('POST', `${path}/invoice-now`, {})
  else await onInvoice(place, resident, wish < 0.045 ? 'retry' : 'void')
}

async function onInvoice(
  { client, promises }: Place,
  { customerId }: Resident,
  action: 'retry' | 'void',
): Promise<void> {
  const { items } = await client.call<{ items: readonly Invoice[] }>(
    'GET',
    `/api/v1/billing/invoices?customers=${customerId}&pageSize=1&order=DESC`,
  )
  const body =
    action === 'retry'
      ? undefined
      : { reason: 'a mistake', action: { percentage: 100, action: { type: 'discard' } } }
  for (const { id } of items) {
    const { status } = await client.ask('POST', `/api/v1/billing/invoices/${id}/${action}`, body)
    if (status < 400 && action === 'void') promises.voided.add(id)
  }
}
