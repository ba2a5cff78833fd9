import type { Stripe } from 'stripe'
import { customerWith } from './world.ts'

/** The last day of a month: the next periods end on the 28th of February and again on the 31st of March. */
export const START = Date.UTC(2027, 0, 31) / 1000
export const FEBRUARY = Date.UTC(2027, 1, 28) / 1000
export const MARCH = Date.UTC(2027, 2, 31) / 1000
export const HOUR = 3600
export const DAY = 24 * HOUR

export interface Scene {
  readonly clock: string
  readonly customer: string
  /** 20.00 USD a month. */
  readonly price: string
}

/** What tests of subscriptions begin with. */
export interface Scenes {
  readonly priceOf: (unit: number, more?: Partial<Stripe.PriceCreateParams>) => Promise<Stripe.Price>
  /** A customer on a clock of its own, with a price. */
  readonly scene: (card?: string | null) => Promise<Scene>
  /** Three times the price, for the red team. */
  readonly subscribe: (
    scene: Scene,
    more?: Partial<Stripe.SubscriptionCreateParams>,
  ) => Promise<Stripe.Subscription>
  readonly latestOf: (subscription: string) => Promise<Stripe.Invoice>
}

export function scenesOf(stripe: Stripe): Scenes {
  const priceOf: Scenes['priceOf'] = async (unit, more = {}) =>
    stripe.prices.create({
      currency: 'usd',
      unit_amount: unit,
      recurring: { interval: 'month' },
      product_data: { name: 'Pro' },
      ...more,
    })
  return {
    priceOf,
    scene: async (card = 'pm_card_visa') => {
      const clock = await stripe.testHelpers.testClocks.create({ frozen_time: START })
      const customer = await customerWith(stripe, card, { test_clock: clock.id })
      return { clock: clock.id, customer: customer.id, price: (await priceOf(2000)).id }
    },
    subscribe: async ({ customer, price }, more = {}) =>
      stripe.subscriptions.create({
        customer,
        items: [{ price, quantity: 3 }],
        metadata: { team: 'red' },
        expand: ['latest_invoice'],
        ...more,
      }),
    latestOf: async (id) => {
      const found = await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] })
      return found.latest_invoice as Stripe.Invoice
    },
  }
}
