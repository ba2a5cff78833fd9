import { DomainError } from './errors.ts'

/** What an amount of a currency means, to us and to the processor (rule 18). */
export interface Currency {
  readonly code: string
  /** Digits of the minor unit (ISO 4217). */
  readonly digits: number
  /** Amounts are multiples of this many minor units. */
  readonly quantumMinor: bigint
  /** What a minor unit is multiplied by when it is sent. */
  readonly processorFactor: bigint
  /** What a minor unit is divided by when it is sent; the quantum is a multiple of it, so that it divides exactly. */
  readonly processorDivisor: bigint
  /** The smallest amount that the processor charges, in our minor units; null: none is published. */
  readonly processorMinimumMinor: bigint | null
}

/** ISO 4217 codes in use, by the digits of their minor unit. Metals, test codes and "no currency" are not money here. */
const codesByDigits: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2: `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
    CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN
    NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
    SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`,
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
}

/** The processor takes three-decimal amounts only when they end in 0, and ariary only whole. */
const quanta: Readonly<Record<string, bigint>> = {
  BHD: 10n,
  JOD: 10n,
  KWD: 10n,
  OMR: 10n,
  TND: 10n,
  MGA: 100n,
}

/** Without decimals for ISO, with two for the processor. */
const factors: Readonly<Record<string, bigint>> = { ISK: 100n, UGX: 100n }

/** With two decimals for ISO, without for the processor. */
const divisors: Readonly<Record<string, bigint>> = { MGA: 100n }

/** The processor's published minimum charges, in minor units. */
const minimums: Readonly<Record<string, bigint>> = {
  AED: 200n,
  AUD: 50n,
  BGN: 100n,
  BRL: 50n,
  CAD: 50n,
  CHF: 50n,
  CZK: 1500n,
  DKK: 250n,
  EUR: 50n,
  GBP: 30n,
  HKD: 400n,
  HUF: 17500n,
  INR: 50n,
  JPY: 50n,
  MXN: 1000n,
  MYR: 200n,
  NOK: 300n,
  NZD: 50n,
  PLN: 200n,
  RON: 200n,
  SEK: 300n,
  SGD: 50n,
  THB: 1000n,
  USD: 50n,
}

function describe(code: string, digits: number): Currency {
  return {
    code,
    digits,
    quantumMinor: quanta[code] ?? 1n,
    processorFactor: factors[code] ?? 1n,
    processorDivisor: divisors[code] ?? 1n,
    processorMinimumMinor: minimums[code] ?? null,
  }
}

const currencies: ReadonlyMap<string, Currency> = new Map(
  Object.entries(codesByDigits).flatMap(([digits, codes]) =>
    codes.split(/\s+/).map((code) => [code, describe(code, Number(digits))] as const),
  ),
)

/** Every code that is accepted, sorted. */
export const currencyCodes: readonly string[] = [...currencies.keys()].sort()

/**
 * The currency of an ISO 4217 code, in upper case. Never defaulted to two decimals (rule 18).
 * @throws DomainError unknown_currency
 */
export function currency(code: string): Currency {
  const found = currencies.get(code)
  if (found === undefined)
    throw new DomainError('unknown_currency', `"${code.slice(0, 8)}" is not a known currency`)
  return found
}

/** Whether `currency(code)` would answer. */
export function isKnownCurrency(code: string): boolean {
  return currencies.has(code)
}
