import { currency } from '../../domain/currency.ts'
import type { Currency } from '../schemas/info.ts'

const names = new Intl.DisplayNames(['en'], { type: 'currency' })

function symbolOf(code: string): string {
  const parts = new Intl.NumberFormat('en', {
    style: 'currency',
    currency: code,
    currencyDisplay: 'narrowSymbol',
  }).formatToParts(0)
  return parts.find(({ type }) => type === 'currency')?.value ?? code
}

/** A currency that is billed in, as the contract lists it. */
export function presentCurrency(code: string): Currency {
  return { code, name: names.of(code) ?? code, symbol: symbolOf(code), subunits: currency(code).digits }
}
