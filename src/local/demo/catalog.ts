import type { Api } from '../../cli/api-client.ts'
import type { StripeCalls } from './stripe.ts'

interface WithId {
  readonly id: string
}

export interface Catalog {
  readonly appId: string
  readonly emailProfileId: string
  readonly planKey: string
  readonly eventType: string
}

interface Account {
  readonly stripeApiKey: string
  readonly suffix: string
}

interface InstalledApp extends WithId {
  readonly stripeAccountId: string
  readonly livemode: boolean
  readonly setup: 'managed' | 'manual'
}

/** An account is installed once: a demo that was interrupted, or whoever began without one, may have done it. */
async function stripeApp(api: Api, stripe: StripeCalls, { stripeApiKey, suffix }: Account): Promise<WithId> {
  const { items } = await api.get<{ items: readonly InstalledApp[] }>('/api/v1/apps')
  if (items.length > 0) {
    const account = await stripe.get<WithId>('/v1/account')
    const isOurs = (one: InstalledApp): boolean => one.stripeAccountId === account.id && !one.livemode
    const installed = items.find(isOurs)
    if (installed !== undefined) return await reached(api, installed)
  }
  const { app } = await api.post<{ app: WithId }>('/api/v1/marketplace/listings/stripe/install/apikey', {
    apiKey: stripeApiKey,
    name: `Stripe${suffix}`,
    createBillingProfile: false,
  })
  return app
}

/** Its webhook endpoint is where the start that installed it listened; this one may listen on another port. */
async function reached(api: Api, app: InstalledApp): Promise<WithId> {
  if (app.setup === 'managed') await api.post(`/api/v1/apps/${app.id}/stripe/webhook/repair`)
  return app
}

/** Installs Stripe, makes two billing profiles, and publishes a plan: base fee in advance, graduated token price. */
export async function createCatalog(api: Api, stripe: StripeCalls, account: Account): Promise<Catalog> {
  const { suffix } = account
  const app = await stripeApp(api, stripe, account)
  const apps = { tax: app.id, invoicing: app.id, payment: app.id }
  const supplier = {
    name: 'Example AI Inc.',
    addresses: [{ country: 'US', city: 'New York', line1: '1 Example Street' }],
  }
  await api.post<WithId>('/api/v1/billing/profiles', {
    name: `Cards${suffix}`,
    default: true,
    supplier,
    apps,
    workflow: {
      collection: { interval: 'P0D' },
      invoicing: { autoAdvance: true, draftPeriod: 'P0D' },
      payment: { collectionMethod: 'charge_automatically' },
    },
  })
  const email = await api.post<WithId>('/api/v1/billing/profiles', {
    name: `By e-mail${suffix}`,
    default: false,
    supplier,
    apps,
    workflow: {
      collection: { interval: 'P0D' },
      invoicing: { autoAdvance: true, draftPeriod: 'P0D', dueAfter: 'P14D' },
      payment: { collectionMethod: 'send_invoice' },
    },
  })
  const eventType = `llm.request${suffix}`
  const meterSlug = `tokens${suffix.replace('-', '_')}`
  await api.post('/api/v1/meters', {
    slug: meterSlug,
    name: 'Tokens',
    eventType,
    aggregation: 'SUM',
    valueProperty: '$.tokens',
    groupBy: { kind: '$.kind' },
  })
  await api.post('/api/v1/features', { key: meterSlug, name: 'Tokens', meterSlug })
  const planKey = `pro${suffix.replace('-', '_')}`
  const plan = await api.post<WithId>('/api/v1/plans', planOf(planKey, meterSlug))
  await api.post(`/api/v1/plans/${plan.id}/publish`)
  return { appId: app.id, emailProfileId: email.id, planKey, eventType }
}

function planOf(key: string, featureKey: string): unknown {
  return {
    key,
    name: 'Pro',
    currency: 'USD',
    billingCadence: 'P1M',
    phases: [
      {
        key: 'default',
        name: 'Default',
        duration: null,
        rateCards: [
          {
            type: 'flat_fee',
            key: 'base',
            name: 'Base fee',
            billingCadence: 'P1M',
            price: { type: 'flat', amount: '20', paymentTerm: 'in_advance' },
          },
          {
            type: 'usage_based',
            key: featureKey,
            featureKey,
            name: 'Tokens',
            billingCadence: 'P1M',
            price: {
              type: 'tiered',
              mode: 'graduated',
              tiers: [
                { upToAmount: '1000000', flatPrice: null, unitPrice: { type: 'unit', amount: '0' } },
                { upToAmount: '10000000', flatPrice: null, unitPrice: { type: 'unit', amount: '0.000004' } },
                { flatPrice: null, unitPrice: { type: 'unit', amount: '0.0000025' } },
              ],
            },
          },
        ],
      },
    ],
  }
}
