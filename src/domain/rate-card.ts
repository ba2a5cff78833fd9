/** When a flat price is billed: at the start of its period or at its end (rule 16). Left out: in advance. */
type PaymentTerm = 'in_advance' | 'in_arrears'

/** A fixed amount, in major units as a decimal string. */
export interface FlatPrice {
  readonly type: 'flat'
  readonly amount: string
  readonly paymentTerm?: PaymentTerm
}

/** Bounds on what a usage price charges in a period (rule 15), in major units. */
interface Commitments {
  readonly minimumAmount?: string
  readonly maximumAmount?: string
}

interface UnitPrice extends Commitments {
  readonly type: 'unit'
  readonly amount: string
}

export interface PriceTier {
  /** Inclusive (rule 12); only the last tier has none. */
  readonly upToAmount?: string
  readonly flatPrice: { readonly type: 'flat'; readonly amount: string } | null
  readonly unitPrice: { readonly type: 'unit'; readonly amount: string } | null
}

export interface TieredPrice extends Commitments {
  readonly type: 'tiered'
  readonly mode: 'graduated' | 'volume'
  readonly tiers: readonly PriceTier[]
}

/** The metered value is money already; it is billed times a multiplier (1 when left out). */
interface DynamicPrice extends Commitments {
  readonly type: 'dynamic'
  readonly multiplier?: string
}

export interface PackagePrice extends Commitments {
  readonly type: 'package'
  readonly amount: string
  readonly quantityPerPackage: string
}

export type UsagePrice = UnitPrice | TieredPrice | DynamicPrice | PackagePrice
export type Price = FlatPrice | UsagePrice

export interface Discounts {
  /** Percent, 0 to 100: a JSON number in the contract, or the same digits as text. */
  readonly percentage?: { readonly percentage: number | string }
  /** Free units. */
  readonly usage?: { readonly quantity: string }
}

export interface TaxConfig {
  readonly behavior?: 'inclusive' | 'exclusive'
  readonly stripe?: { readonly code: string }
  readonly customInvoicing?: { readonly code: string }
  readonly taxCodeId?: string
}

interface MeteredEntitlement {
  readonly type: 'metered'
  readonly metadata?: Readonly<Record<string, string>>
  readonly isSoftLimit?: boolean
  readonly issueAfterReset?: number
  readonly issueAfterResetPriority?: number
  readonly preserveOverageAtReset?: boolean
  readonly usagePeriod?: string
}

interface StaticEntitlement {
  readonly type: 'static'
  readonly metadata?: Readonly<Record<string, string>>
  readonly config: string
}

interface BooleanEntitlement {
  readonly type: 'boolean'
  readonly metadata?: Readonly<Record<string, string>>
}

type EntitlementTemplate = MeteredEntitlement | StaticEntitlement | BooleanEntitlement

interface RateCardBase {
  readonly key: string
  readonly name: string
  readonly description?: string
  readonly metadata?: Readonly<Record<string, string>> | null
  readonly featureKey?: string
  readonly entitlementTemplate?: EntitlementTemplate
  readonly taxConfig?: TaxConfig
  readonly discounts?: Discounts
}

export interface FlatFeeRateCard extends RateCardBase {
  readonly type: 'flat_fee'
  /** ISO duration; null is a one-time fee. */
  readonly billingCadence: string | null
  /** null: free. */
  readonly price: FlatPrice | null
}

export interface UsageBasedRateCard extends RateCardBase {
  readonly type: 'usage_based'
  readonly billingCadence: string
  /** null: free. */
  readonly price: Price | null
}

/** A price of a plan with its cadence, in the shape of the contract. */
export type RateCard = FlatFeeRateCard | UsageBasedRateCard

/** A stretch of a plan with its own prices; only the last has no duration. */
export interface Phase {
  readonly key: string
  readonly name: string
  readonly description?: string
  readonly metadata?: Readonly<Record<string, string>> | null
  /** ISO duration; null: until the subscription ends. */
  readonly duration: string | null
  readonly rateCards: readonly RateCard[]
}
