import { StripeRefusal } from './errors.ts'
import type { KeyRecord } from './records.ts'

/**
 * The resource of a restricted key's permission (`rak_<resource>_<read|write>`) by path, the first prefix wins. Seen in
 * Stripe's own refusals and links: customer, payment_method, setup_intent, payment_intent, invoice, credit_note,
 * checkout_session, charge, refund, product, plan, connected_account. The others are guessed. Null: any key may.
 */
const resources: readonly (readonly [prefix: string, resource: string | null])[] = [
  ['/v1/customers/:id/payment_methods', 'payment_method'],
  ['/v1/customers', 'customer'],
  ['/v1/payment_methods', 'payment_method'],
  ['/v1/setup_intents', 'setup_intent'],
  ['/v1/payment_intents', 'payment_intent'],
  ['/v1/invoices', 'invoice'],
  ['/v1/invoiceitems', 'invoice'],
  ['/v1/invoice_payments', 'invoice'],
  ['/v1/credit_notes', 'credit_note'],
  ['/v1/checkout/sessions', 'checkout_session'],
  ['/v1/charges', 'charge'],
  ['/v1/refunds', 'refund'],
  ['/v1/account', 'connected_account'],
  ['/v1/webhook_endpoints', 'webhook'],
  ['/v1/events', 'event'],
  ['/v1/billing_portal', 'customer_portal'],
  ['/v1/tax/settings', 'tax_settings'],
  ['/v1/tax_rates', 'tax_rate'],
  ['/v1/tax_codes', null],
  ['/v1/prices', 'plan'],
  ['/v1/products', 'product'],
  ['/v1/subscription', 'subscription'],
  ['/v1/disputes', 'dispute'],
  ['/v1/test_helpers/test_clocks', 'test_clock'],
]

/** What else the resources may be called when a key is registered. */
const aliases: Readonly<Record<string, string>> = {
  account: 'connected_account',
  billing_portal: 'customer_portal',
  invoiceitem: 'invoice',
  portal: 'customer_portal',
  price: 'plan',
  webhook_endpoint: 'webhook',
}

/** Expanding an object needs to be allowed to read it [recorded refusals name `payment_intent`; the others guessed]. */
const expanded: Readonly<Record<string, string>> = {
  charge: 'charge',
  customer: 'customer',
  default_payment_method: 'payment_method',
  invoice: 'invoice',
  latest_charge: 'charge',
  payment_intent: 'payment_intent',
  payment_method: 'payment_method',
  product: 'product',
  setup_intent: 'setup_intent',
  subscription: 'subscription',
}

/** Reads `customer:write` and `rak_customer_write` alike. */
export function newPermissions(names: readonly string[]): {
  readonly slugs: readonly string[]
  readonly unknown: readonly string[]
} {
  const known = new Set(resources.map(([, resource]) => resource))
  const read = names.map((name) => {
    const [, short, access] = /^(?:rak_)?(\w+?)[:_](read|write)$/.exec(name) ?? []
    const resource = short === undefined ? undefined : (aliases[short] ?? short)
    return resource !== undefined && known.has(resource) ? `rak_${resource}_${access}` : null
  })
  return {
    slugs: read.filter((slug) => slug !== null),
    unknown: names.filter((_, index) => read[index] === null),
  }
}

/** The permission that an endpoint asks for; undefined where the table does not know it. */
export function permissionOf(method: string, pattern: string): string | null | undefined {
  const found = resources.find(([prefix]) => pattern.startsWith(prefix))
  if (found === undefined || found[1] === null) return found?.[1]
  return `rak_${found[1]}_${method === 'GET' ? 'read' : 'write'}`
}

function expansionsOf(expand: unknown): readonly string[] {
  const paths = typeof expand === 'object' && expand !== null ? Object.values(expand) : []
  const segments = paths.flatMap((path) => String(path).split('.'))
  return segments.flatMap((segment) => {
    const resource = expanded[segment]
    return resource === undefined ? [] : [`rak_${resource}_read`]
  })
}

interface Called {
  readonly method: string
  readonly pattern: string
  readonly expand: unknown
}

/** 403 unless the key may, told before anything else about the request [recorded traffic: links in refusals]. */
export function requirePermission(
  key: KeyRecord | undefined,
  [shown, account]: readonly [string, string],
  called: Called,
): void {
  if (key === undefined || key.permissions === null) return
  const granted = new Set(key.permissions)
  const needed = [permissionOf(called.method, called.pattern), ...expansionsOf(called.expand)]
  const missing = needed.find(
    (slug) =>
      typeof slug === 'string' && !granted.has(slug) && !granted.has(slug.replace(/_read$/, '_write')),
  )
  if (typeof missing !== 'string') return
  throw new StripeRefusal(403, {
    type: 'invalid_request_error',
    message:
      `The provided key '${shown}' does not have the required permissions for this endpoint on account ` +
      `'${account}'. Having the '${missing}' permission would allow this request to continue.`,
  })
}
