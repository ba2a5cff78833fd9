import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { DecimalText } from './common.ts'
import { ref, taggedUnion } from './reference.ts'

const Commitments = { minimumAmount: Type.Optional(DecimalText), maximumAmount: Type.Optional(DecimalText) }
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

export const FlatPriceWithPaymentTerm = Type.Object(
  {
    type: Type.Literal('flat'),
    amount: DecimalText,
    paymentTerm: Type.Optional(
      Type.Union([Type.Literal('in_advance'), Type.Literal('in_arrears')], { default: 'in_advance' }),
    ),
  },
  { $id: 'FlatPriceWithPaymentTerm', description: 'A fixed amount in major units.' },
)

const UnitPrice = Type.Object(
  { type: Type.Literal('unit'), amount: DecimalText, ...Commitments },
  { $id: 'UnitPriceWithCommitments' },
)

const PriceTier = Type.Object(
  {
    upToAmount: Type.Optional(DecimalText),
    flatPrice: nullable(Type.Object({ type: Type.Literal('flat'), amount: DecimalText })),
    unitPrice: nullable(Type.Object({ type: Type.Literal('unit'), amount: DecimalText })),
  },
  { $id: 'PriceTier', description: 'upToAmount is inclusive; the last tier, and no other, leaves it out.' },
)

const MAX_TIERS = 100
const TieredPrice = Type.Object(
  {
    type: Type.Literal('tiered'),
    mode: Type.Union([Type.Literal('volume'), Type.Literal('graduated')]),
    tiers: Type.Array(ref(PriceTier), { minItems: 1, maxItems: MAX_TIERS }),
    ...Commitments,
  },
  { $id: 'TieredPriceWithCommitments' },
)

const DynamicPrice = Type.Object(
  { type: Type.Literal('dynamic'), multiplier: Type.Optional(DecimalText), ...Commitments },
  {
    $id: 'DynamicPriceWithCommitments',
    description: 'The metered value is money already; it is billed times the multiplier.',
  },
)

const PackagePrice = Type.Object(
  { type: Type.Literal('package'), amount: DecimalText, quantityPerPackage: DecimalText, ...Commitments },
  { $id: 'PackagePriceWithCommitments' },
)

const usagePrices = [FlatPriceWithPaymentTerm, UnitPrice, TieredPrice, DynamicPrice, PackagePrice] as const
export const RateCardUsageBasedPrice = taggedUnion('type', usagePrices, { $id: 'RateCardUsageBasedPrice' })
export type RateCardUsageBasedPrice = Static<typeof RateCardUsageBasedPrice>

export const TaxConfig = Type.Object(
  {
    behavior: Type.Optional(Type.Union([Type.Literal('inclusive'), Type.Literal('exclusive')])),
    stripe: Type.Optional(Type.Object({ code: Type.String({ pattern: '^txcd_\\d{8}$' }) })),
    customInvoicing: Type.Optional(Type.Object({ code: Type.String() })),
    taxCodeId: Type.Optional(Type.String()),
  },
  { $id: 'TaxConfig' },
)

const HUNDRED_PERCENT = 100
export const Discounts = Type.Object(
  {
    percentage: Type.Optional(
      Type.Object({ percentage: Type.Number({ minimum: 0, maximum: HUNDRED_PERCENT }) }),
    ),
    usage: Type.Optional(Type.Object({ quantity: DecimalText })),
  },
  { $id: 'Discounts' },
)

export const priceSchemas: readonly TSchema[] = [
  ...usagePrices,
  PriceTier,
  RateCardUsageBasedPrice,
  TaxConfig,
  Discounts,
]
