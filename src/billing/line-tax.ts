import type { InvoiceLineRow } from '../db/stores/invoices.ts'
import { divideRounded } from '../domain/decimal.ts'
import type { TaxConfig } from '../domain/rate-card.ts'
import type { LinePart, LineTax, LineToSync } from '../stripe/invoice-types.ts'

/** How a line is taxed: what its rate card says, and for what that leaves open the profile's default. */
export function taxConfigOf(own: TaxConfig | null | undefined, fallback: unknown): TaxConfig | null {
  const merged = { ...(fallback as TaxConfig | null | undefined), ...own }
  return Object.keys(merged).length === 0 ? null : merged
}

/** A line's tax code and behaviour as Stripe takes them. */
export function taxTreatment(
  line: Pick<InvoiceLineRow, 'taxConfig'>,
): Pick<LineToSync, 'taxCode' | 'taxBehavior'> {
  const config = line.taxConfig as TaxConfig | null
  return {
    ...(config?.stripe !== undefined && { taxCode: config.stripe.code }),
    ...(config?.behavior !== undefined && { taxBehavior: config.behavior }),
  }
}

type LineTaxes = readonly (LineTax & { readonly lineId: string })[]

/** The tax of a line at Stripe, split over our lines in it by running sums: the parts add up, credits included. */
export function spreadTax(tax: LineTax, parts: readonly LinePart[]): LineTaxes {
  const whole = parts.reduce((sum, part) => sum + part.amountMinor, 0n)
  let amount = 0n
  let [taxSoFar, includedSoFar] = [0n, 0n]
  return parts.map((part, index) => {
    amount += part.amountMinor
    const isLast = index === parts.length - 1
    const upTo = (total: bigint): bigint =>
      isLast || whole === 0n ? total : divideRounded(total * amount, whole)
    const taxMinor = upTo(tax.taxMinor) - taxSoFar
    const includedMinor = upTo(tax.includedMinor) - includedSoFar
    taxSoFar += taxMinor
    includedSoFar += includedMinor
    return { lineId: part.lineId, taxMinor, includedMinor }
  })
}
