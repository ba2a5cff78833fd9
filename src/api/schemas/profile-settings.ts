import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'

const MAX_PAYMENT_METHOD_TYPES = 50

/** None of it is in the contract: it stands beside the contract's workflow. */
export const accessSettings = {
  gate: Type.Union([Type.Literal('none'), Type.Literal('first_invoice')], {
    description:
      'first_invoice: access is granted once the first invoice is paid. A plan of its own comes first.',
  }),
}
export const AccessSettings = Type.Object(accessSettings, {
  $id: 'AccessSettings',
  description: 'When a subscription opens.',
})
export type AccessSettings = Static<typeof AccessSettings>

export const AccessGate = accessSettings.gate

export const stripeSettings = {
  billing: Type.Union([Type.Literal('invoice'), Type.Literal('subscription_items')], {
    description: 'subscription_items: lines become items that the invoices of a Stripe subscription bill.',
  }),
  synchronize: Type.Union([Type.Literal('at_issuing'), Type.Literal('continuously')], {
    description: 'continuously: the draft at Stripe grows with the period.',
  }),
  send: Type.Union([Type.Literal('every_bill'), Type.Literal('approved_bills')], {
    description: 'approved_bills: nothing reaches Stripe before it is approved here.',
  }),
  paymentMethodTypes: Type.Array(Type.String({ pattern: '^[a-z][a-z0-9_]*$', maxLength: 64 }), {
    maxItems: MAX_PAYMENT_METHOD_TYPES,
    uniqueItems: true,
    description: "What an invoice may be paid with, in Stripe's words; empty: what the account has enabled.",
  }),
}
export const StripeSettings = Type.Object(stripeSettings, {
  $id: 'StripeSettings',
  description: 'How invoices are kept at Stripe.',
})
export type StripeSettings = Static<typeof StripeSettings>

export const profileSettingSchemas: readonly TSchema[] = [AccessSettings, StripeSettings]
