import { currency } from '../../src/domain/currency.ts'
import { parseDecimal } from '../../src/domain/decimal.ts'
import type { FlatFeeRateCard, Phase, UsageBasedRateCard, UsagePrice } from '../../src/domain/rate-card.ts'
import { rateItem, type RatedItem } from '../../src/domain/rating.ts'
import { closingAfter, itemsAt, type BillableItem, type Terms } from '../../src/domain/schedule.ts'

export const usd = currency('USD')

/** An instant of a short text: `2026-01-31` or `2026-01-31T12:00Z`. */
export const at = (text: string): number => Date.parse(text.includes('T') ? text : `${text}T00:00Z`)

/** The shortest text of an instant: the day where it is midnight in UTC. */
export const show = (ms: number): string =>
  new Date(ms)
    .toISOString()
    .replace(/T00:00:00\.000Z$/, '')
    .replace(':00.000Z', 'Z')

export const fee = (card: Partial<FlatFeeRateCard> = {}): FlatFeeRateCard => ({
  type: 'flat_fee',
  key: 'fee',
  name: 'Fee',
  billingCadence: 'P1M',
  price: { type: 'flat', amount: '30' },
  ...card,
})

export const usage = (price: UsagePrice, card: Partial<UsageBasedRateCard> = {}): UsageBasedRateCard => ({
  type: 'usage_based',
  key: 'tokens',
  name: 'Tokens',
  featureKey: 'tokens',
  billingCadence: 'P1M',
  price,
  ...card,
})

export const phase = (phase: Partial<Phase> = {}): Phase => ({
  key: 'main',
  name: 'Main',
  duration: null,
  rateCards: [],
  ...phase,
})

export const terms = (terms: Partial<Terms> = {}): Terms => ({
  activeFromMs: at('2026-01-01'),
  activeToMs: null,
  anchorMs: terms.activeFromMs ?? at('2026-01-01'),
  timeZone: 'UTC',
  billingCadence: 'P1M',
  proRating: true,
  phases: [phase()],
  ...terms,
})

/** Every closing until an instant, each with what becomes billable. */
export function timeline(
  t: Terms,
  until: number,
): readonly { at: string; kind: string; items: readonly BillableItem[] }[] {
  const closings = []
  for (let c = closingAfter(t, null); c !== null && c.atMs <= until; c = closingAfter(t, c.atMs)) {
    closings.push({ at: show(c.atMs), kind: c.kind, items: itemsAt(t, c) })
  }
  return closings
}

const january = { from: at('2026-01-01'), to: at('2026-02-01') }

/** A slice of January 2026, the whole month unless said otherwise. */
export const item = (rateCard: BillableItem['rateCard'], service = january): BillableItem => ({
  lineKey: `main/${rateCard.key}/2026-01-01T00:00:00.000Z`,
  phaseKey: 'main',
  rateCard,
  featureKey: rateCard.featureKey ?? null,
  kind: rateCard.price?.type === 'flat' ? 'flat' : 'usage',
  service,
  fullService: january,
  billing: january,
  invoiceAtMs: january.to,
})

/** Rates usage of January in US dollars. */
export const rate = (
  price: UsagePrice,
  quantity: string | null,
  card: Partial<UsageBasedRateCard> = {},
): RatedItem =>
  rateItem(item(usage(price, card)), {
    meteredQuantity: quantity === null ? null : parseDecimal(quantity),
    currency: usd,
    proRating: true,
  })
