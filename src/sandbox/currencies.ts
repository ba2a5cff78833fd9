/** Smallest charge in minor units [stripe docs: currencies]; absent: no minimum known, so none is applied. */
const minimumCharge: Readonly<Record<string, number>> = {
  usd: 50,
  aed: 200,
  aud: 50,
  bgn: 100,
  brl: 50,
  cad: 50,
  chf: 50,
  czk: 1500,
  dkk: 250,
  eur: 50,
  gbp: 30,
  hkd: 400,
  huf: 17500,
  inr: 50,
  jpy: 50,
  mxn: 1000,
  myr: 200,
  nok: 300,
  nzd: 50,
  pln: 200,
  ron: 200,
  sek: 300,
  sgd: 50,
  thb: 1000,
}
const zeroDecimal = new Set('bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split(' '))
const threeDecimal = new Set('bhd jod kwd omr tnd'.split(' '))

/** The smallest amount that is charged rather than carried on the customer's balance. */
export function minimumOf(currency: string): number {
  return minimumCharge[currency] ?? 0
}

/** Minor digits as Stripe counts them: ISK and UGX are sent times 100. */
export function digitsOf(currency: string): number {
  if (zeroDecimal.has(currency)) return 0
  return threeDecimal.has(currency) ? 3 : 2
}

/** `$1,234.56` for pages; the code stands in for the sign of other currencies. */
export function formatAmount(amount: number, currency: string): string {
  const digits = digitsOf(currency)
  const [whole = '', ...rest] = (amount / 10 ** digits).toFixed(digits).split('.')
  const text = [whole.replaceAll(/\B(?=(\d{3})+$)/g, ','), ...rest].join('.')
  return currency === 'usd' ? `$${text}`.replace('$-', '-$') : `${text} ${currency.toUpperCase()}`
}

/** The largest amount of a charge: eight digits, twelve for IDR, nine for INR [stripe docs: currencies]. */
export function maximumOf(currency: string): number {
  if (currency === 'idr') return 999_999_999_999
  return currency === 'inr' ? 999_999_999 : 99_999_999
}
