/** A change to the closed 2026-08-26.dahlia document, up to 2026-10-28.endive. */
export interface OverlayChange {
  /** `METHOD /v1/path/*` */
  readonly operation: string
  readonly remove?: readonly string[]
  readonly add?: Readonly<Record<string, object>>
  /** What the client's changelog says. */
  readonly because: string
}

const removed =
  'Removed payment_method_types in favour of dynamic payment methods (stripe-node CHANGELOG 23.0.0)'
const added = { allowed_payment_method_types: { type: 'array', items: { type: 'string' } } }

export const overlay: readonly OverlayChange[] = [
  { operation: 'POST /v1/checkout/sessions', remove: ['payment_method_types'], add: added, because: removed },
  { operation: 'POST /v1/setup_intents', remove: ['payment_method_types'], add: added, because: removed },
  { operation: 'POST /v1/setup_intents/*', remove: ['payment_method_types'], because: removed },
  {
    operation: 'POST /v1/webhook_endpoints',
    add: { api_version: { type: 'string', maxLength: 5000 } },
    because: 'api_version takes 2026-10-28.endive (stripe-node CHANGELOG 23.1.0)',
  },
  {
    operation: 'POST /v1/billing_portal/sessions',
    add: { after_expiration: { type: 'object' } },
    because: 'Added after_expiration to portal sessions (stripe-node CHANGELOG 23.1.0)',
  },
]
