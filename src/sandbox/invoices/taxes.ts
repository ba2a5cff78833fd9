import type { Context } from '../context.ts'
import { taxSettings } from '../resources/tax-settings.ts'
import type { InvoiceItemRecord, InvoiceRecord, LineTax } from '../records.ts'

/**
 * Stands in for Stripe Tax: one flat rate, of these countries only; elsewhere nothing is collected. The real
 * arithmetic (places, products, thresholds) is out of the sandbox's scope.
 */
export const FLAT_TAX_PERCENT = 20
const collectingCountries = new Set(['AT', 'BE', 'DE', 'ES', 'FR', 'GB', 'IE', 'IT', 'NL', 'PL', 'SE'])
/** Nobody lives there [ISO 3166: user-assigned]; stands for an address that tax cannot place. */
const unknownCountries = new Set(['XX', 'ZZ'])
/** [stripe docs: tax codes] */
const NONTAXABLE = 'txcd_00000000'
/** The rate that automatic tax refers to. */
export const AUTOMATIC_RATE = 'txr_1SAutomaticSandboxRate00'

/** Half away from zero to whole minor units, by tax rates of at most four places. */
function share(amount: number, percentage: number, inclusive: boolean): number {
  const rate = BigInt(Math.round(percentage * 10_000))
  const whole = 1_000_000n
  const divisor = inclusive ? whole + rate : whole
  const product = BigInt(amount) * rate
  const half = (product < 0n ? -divisor : divisor) / 2n
  return Number((product + half) / divisor)
}

/** The place that tax follows: the customer's while a draft, then what the invoice was issued with. */
export function taxCountry(ctx: Context, invoice: InvoiceRecord): string | null {
  const customer = ctx.store.get('customers', invoice.customer)
  const address = invoice.status === 'draft' ? customer?.address : invoice.customer_address
  const country = address?.country ?? null
  return country === null || unknownCountries.has(country) ? null : country
}

function taxCodeOf(ctx: Context, item: InvoiceItemRecord): string | null {
  if (item._taxCode) return item._taxCode
  const product = item.pricing?.price_details?.product
  const own = product ? ctx.store.get('products', product)?.tax_code : null
  return typeof own === 'string' ? own : taxSettings(ctx).taxCode
}

/** Why nothing is collected; null: the flat rate is. */
function reliefOf(ctx: Context, [invoice, item]: readonly [InvoiceRecord, InvoiceItemRecord]): string | null {
  if (!collectingCountries.has(taxCountry(ctx, invoice) ?? '')) return 'not_collecting'
  if (taxCodeOf(ctx, item) === NONTAXABLE) return 'not_subject_to_tax'
  const exempt = ctx.store.get('customers', invoice.customer)?.tax_exempt
  if (exempt === 'exempt') return 'customer_exempt'
  return exempt === 'reverse' ? 'reverse_charge' : null
}

function automatic(ctx: Context, invoice: InvoiceRecord, item: InvoiceItemRecord): readonly LineTax[] {
  if (taxCountry(ctx, invoice) === null) return []
  const inclusive = (item._taxBehavior ?? taxSettings(ctx).taxBehavior) === 'inclusive'
  const relief = reliefOf(ctx, [invoice, item])
  const amount = relief === null ? share(item.amount, FLAT_TAX_PERCENT, inclusive) : 0
  return [
    {
      amount,
      inclusive,
      taxableAmount: relief === null ? item.amount - (inclusive ? amount : 0) : 0,
      rate: AUTOMATIC_RATE,
      reason: relief ?? 'standard_rated',
    },
  ]
}

function byRate(ctx: Context, id: string, item: InvoiceItemRecord): readonly LineTax[] {
  const rate = ctx.store.get('taxRates', id)
  if (rate === undefined) return []
  const amount = share(item.amount, rate.percentage, rate.inclusive)
  return [
    {
      amount,
      inclusive: rate.inclusive,
      taxableAmount: item.amount - (rate.inclusive ? amount : 0),
      rate: id,
      reason: 'standard_rated',
    },
  ]
}

/** The taxes of one line: given amounts, else automatic tax, else its own rates, else the invoice's. */
export function taxesOf(ctx: Context, invoice: InvoiceRecord, item: InvoiceItemRecord): readonly LineTax[] {
  if (item._taxAmounts !== null) {
    return item._taxAmounts.map((tax) => ({
      amount: tax.amount,
      inclusive: tax.inclusive,
      taxableAmount: tax.taxable_amount,
      rate: tax.rate,
      reason: 'standard_rated',
    }))
  }
  if (invoice.automatic_tax.enabled) return automatic(ctx, invoice, item)
  const rates = item.tax_rates.length > 0 ? item.tax_rates : invoice.default_tax_rates
  return rates.flatMap((id) => byRate(ctx, id, item))
}
