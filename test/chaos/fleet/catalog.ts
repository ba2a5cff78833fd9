import type { ApiClient } from './client.ts'
import type { PlanKey } from './population.ts'

const flat = (key: string, amount: string, options: object = {}) => ({
  type: 'flat_fee',
  key,
  name: key,
  billingCadence: 'P1M',
  price: { type: 'flat', amount, paymentTerm: 'in_advance' },
  ...options,
})
const metered = (featureKey: string, price: object) => ({
  type: 'usage_based',
  key: featureKey,
  name: featureKey,
  featureKey,
  billingCadence: 'P1M',
  price,
})
const unit = (amount: string) => ({ type: 'unit', amount })
const tokenTiers = {
  type: 'tiered',
  mode: 'graduated',
  tiers: [
    { upToAmount: '1000', flatPrice: null, unitPrice: unit('0.01') },
    { upToAmount: '5000', flatPrice: { type: 'flat', amount: '2' }, unitPrice: unit('0.005') },
    { flatPrice: null, unitPrice: unit('0.0025') },
  ],
}
const seatTiers = {
  type: 'tiered',
  mode: 'volume',
  tiers: [
    { upToAmount: '5', flatPrice: null, unitPrice: unit('9') },
    { flatPrice: null, unitPrice: unit('7.5') },
  ],
}

interface Plan {
  readonly currency: string
  readonly billingCadence: string
  readonly rateCards: readonly object[]
}

const plans: Readonly<Record<PlanKey, Plan>> = {
  flat: { currency: 'USD', billingCadence: 'P1M', rateCards: [flat('base', '29')] },
  usage: { currency: 'USD', billingCadence: 'P1M', rateCards: [metered('tokens', unit('0.003'))] },
  seats: {
    currency: 'USD',
    billingCadence: 'P1M',
    rateCards: [flat('base', '20'), metered('tokens', tokenTiers), metered('seats', seatTiers)],
  },
  annual: {
    currency: 'USD',
    billingCadence: 'P1M',
    rateCards: [flat('base', '240', { billingCadence: 'P1Y' }), metered('tokens', unit('0.001'))],
  },
  usage_eur: {
    currency: 'EUR',
    billingCadence: 'P1M',
    rateCards: [flat('base', '5'), metered('tokens', tokenTiers)],
  },
  flat_jpy: { currency: 'JPY', billingCadence: 'P1M', rateCards: [flat('base', '3000')] },
}

/** Meters, features and published plans. */
export async function makeCatalog({ call }: ApiClient): Promise<void> {
  const meter = { eventType: 'request', groupBy: {} }
  await call('POST', '/api/v1/meters', {
    ...meter,
    slug: 'tokens',
    aggregation: 'SUM',
    valueProperty: '$.tokens',
  })
  await call('POST', '/api/v1/meters', {
    ...meter,
    slug: 'seats',
    aggregation: 'UNIQUE_COUNT',
    valueProperty: '$.person',
  })
  for (const slug of ['tokens', 'seats'])
    await call('POST', '/api/v1/features', { key: slug, name: slug, meterSlug: slug })
  for (const [key, { rateCards, ...plan }] of Object.entries(plans)) {
    const phases = [{ key: 'main', name: 'Main', duration: null, rateCards }]
    const { id } = await call<{ id: string }>('POST', '/api/v1/plans', { key, name: key, ...plan, phases })
    await call('POST', `/api/v1/plans/${id}/publish`)
  }
}
