import type { Context } from '../context.ts'
import type { InvoiceItemRecord, InvoiceRecord, LineTax } from '../tables.ts'

/**
 * Stands in for Stripe Tax: one flat rate, of these countries only; elsewhere nothing is collected. The real
 * arithmetic (places, products, thresholds) is out of the sandbox's scope.
 */
export const FLAT_TAX_PERCENT = 20
const collectingCountries = new Set(['AT', 'BE', 'DE', 'ES', 'FR', 'GB', 'IE', 'IT', 'NL', 'PL', 'SE'])
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

function automatic(ctx: Context, invoice: InvoiceRecord, item: InvoiceItemRecord): readonly LineTax[] {
  const country = ctx.store.get('customers', invoice.customer)?.address?.country
  if (country === null || country === undefined) return []
  const inclusive = item._taxBehavior === 'inclusive'
  const amount = collectingCountries.has(country) ? share(item.amount, FLAT_TAX_PERCENT, inclusive) : 0
  const collects = collectingCountries.has(country)
  return [
    {
      amount,
      inclusive,
      taxableAmount: collects ? item.amount - (inclusive ? amount : 0) : 0,
      rate: AUTOMATIC_RATE,
      reason: collects ? 'standard_rated' : 'not_collecting',
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
