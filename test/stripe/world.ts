import { Stripe } from 'stripe'
import { ulid } from 'ulid'
import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import type { InvoiceToSync, LineToSync } from '../../src/stripe/invoice-types.ts'
import type { StoredApp } from '../../src/stripe/types.ts'
import { cuttingProxy } from './cutting-proxy.ts'
import type { CuttingProxy } from './cutting-proxy.ts'

const masterKey = 'a master key of at least thirty-two bytes'
const key = 'sk_test_sandbox'

/** The sandbox, a gateway that reaches it through a proxy which can die, and a plain client to look with. */
export interface World {
  readonly url: string
  readonly gateway: StripeGateway
  readonly app: StoredApp
  readonly stripe: Stripe
  readonly proxy: CuttingProxy
  readonly close: () => Promise<void>
}

/** What the helpers below need of a world: the sandbox's, or that of a Stripe account. */
export type StripeTarget = Pick<World, 'gateway' | 'app' | 'stripe'>

export async function startWorld(): Promise<World> {
  const sandbox = await startSandbox({ port: 0 })
  const proxy = await cuttingProxy(sandbox.url)
  const gateway = createStripeGateway({ masterKey, baseUrl: proxy.url, limits: false })
  const { hostname, port } = new URL(sandbox.url)
  return {
    url: sandbox.url,
    gateway,
    app: {
      id: 'app_1',
      livemode: false,
      apiKeyEncrypted: gateway.encryptSecret(key, { appId: 'app_1', field: 'api_key' }),
      webhookSecretEncrypted: null,
      webhookEndpointId: null,
      stripeAccountId: null,
    },
    stripe: new Stripe(key, { host: hostname, port, protocol: 'http', telemetry: false }),
    proxy,
    async close() {
      await proxy.close()
      await sandbox.close()
    },
  }
}

export interface CustomerOptions {
  /** A test card's token; null: no payment method. */
  readonly card?: string | null
  readonly testClockId?: string
}

/** A customer with a default card. */
export async function customerWith(
  { gateway, app }: StripeTarget,
  { card = 'pm_card_visa', testClockId }: CustomerOptions = {},
): Promise<string> {
  const { id } = await gateway.createCustomer(app, {
    customerId: ulid(),
    name: 'Ada',
    email: 'ada@example.com',
    ...(testClockId !== undefined && { testClockId }),
  })
  if (card !== null) {
    const attached = await gateway.attachPaymentMethod(app, { stripeCustomerId: id, paymentMethodId: card })
    await gateway.setDefaultPaymentMethod(app, { stripeCustomerId: id, paymentMethodId: attached.id })
  }
  return id
}

export function linesOf(amounts: readonly bigint[]): readonly LineToSync[] {
  return amounts.map((amountMinor, index) => ({
    lineId: `line-${index}`,
    amountMinor,
    description: `${index} × $0.000003`,
    fromMs: Date.UTC(2026, 0, 1),
    toMs: Date.UTC(2026, 1, 1),
  }))
}

export function invoiceFor(stripeCustomerId: string, more: Partial<InvoiceToSync> = {}): InvoiceToSync {
  return {
    invoiceId: ulid(),
    subscriptionId: ulid(),
    stripeCustomerId,
    stripeInvoiceId: null,
    generation: 1,
    createdMs: Date.now(),
    currency: 'USD',
    collectionMethod: 'charge_automatically',
    lines: linesOf([1234n, 5678n]),
    ...more,
  }
}

/** Sync, finalize and pay, as a worker does; what it remembers is given back. */
export async function collect({ gateway, app }: StripeTarget, invoice: InvoiceToSync, attempt = 1) {
  const { stripeInvoiceId } = await gateway.syncInvoice(app, invoice)
  const ref = { invoiceId: invoice.invoiceId, stripeInvoiceId, generation: invoice.generation }
  await gateway.finalizeInvoice(app, ref)
  return gateway.payInvoice(app, { ...ref, attempt })
}

/** All invoices of a customer at Stripe. */
export async function invoicesAt({ stripe }: World, customer: string): Promise<readonly Stripe.Invoice[]> {
  return stripe.invoices.list({ customer, limit: 100 }).autoPagingToArray({ limit: 10_000 })
}
