/** Plans as a caller writes them; the API, the published client and the domain take them alike. */

/** A fee of so much a period, charged when the period begins. */
export const baseFee = (amount = '20', billingCadence = 'P1M') =>
  ({
    type: 'flat_fee',
    key: 'base',
    name: 'Base fee',
    billingCadence,
    price: { type: 'flat', amount, paymentTerm: 'in_advance' },
  }) as const

/** The usage of the feature `tokens`, charged when the period has ended. */
export const tokenUsage = <Price>(price: Price, billingCadence = 'P1M') => ({
  type: 'usage_based' as const,
  key: 'tokens',
  name: 'Tokens',
  featureKey: 'tokens',
  billingCadence,
  price,
})

export const unitPrice = (amount: string) => ({ type: 'unit', amount }) as const

/** One price a unit up to so many, another from there: of the units beyond, or of all of them by `volume`. */
export const twoTiers = (
  mode: 'graduated' | 'volume',
  [below, above]: readonly [string, string],
  upToAmount = '1000',
) => ({
  type: 'tiered' as const,
  mode,
  tiers: [
    { upToAmount, flatPrice: null, unitPrice: unitPrice(below) },
    { flatPrice: null, unitPrice: unitPrice(above) },
  ],
})

/** A phase without an end. */
export const mainPhase = <Cards extends unknown[]>(...rateCards: Cards) => ({
  key: 'main',
  name: 'Main',
  duration: null,
  rateCards,
})

/** A base fee in advance, and tokens in arrears: a thousand at a cent, half a cent from there. */
export const tokenPlan = {
  key: 'tokens_monthly',
  name: 'Tokens monthly',
  currency: 'USD',
  billingCadence: 'P1M',
  phases: [mainPhase(baseFee(), tokenUsage(twoTiers('graduated', ['0.01', '0.005'])))],
}
