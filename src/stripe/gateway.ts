import type { StripeGateway, StripeGatewayOptions } from './types.ts'

/** The one door to Stripe: every call that the product makes, each repeatable. */
export function createStripeGateway(options: StripeGatewayOptions): StripeGateway {
  throw new Error(`not composed yet: ${options.baseUrl ?? 'api.stripe.com'}`)
}
