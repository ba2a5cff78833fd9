import type { Currency } from './currency.ts'
import { DomainError } from './errors.ts'
import { displayMinor } from './money.ts'

/**
 * More than any processor collects, and little enough that no sum of an invoice leaves PostgreSQL's bigint, and that what the
 * processor is sent, up to a hundred times as many of its units, is a safe integer of JSON.
 */
const lineMaxMinor = 10n ** 13n

/** An amount of a price: with three digits behind the point, it is just what a line can hold. */
export const AMOUNT_MAX = '10000000000'

interface LimitedLine {
  readonly name: string
  readonly amountMinor: bigint
  readonly discountMinor: bigint
}

/**
 * Refuses to put on an invoice what nobody can be billed, and names the line: a price or a count that is wrong by many digits.
 * @throws DomainError amount_too_large
 */
export function requireBillableAmounts(lines: readonly LimitedLine[], c: Currency): void {
  const beyond = (minor: bigint): boolean => minor > lineMaxMinor || minor < -lineMaxMinor
  const line = lines.find(({ amountMinor, discountMinor }) => beyond(amountMinor) || beyond(discountMinor))
  if (line === undefined) return
  const wrong = beyond(line.amountMinor) ? line.amountMinor : line.discountMinor
  const bound = displayMinor(lineMaxMinor, c)
  const detail = `The line ${line.name} would be ${displayMinor(wrong, c)}; a line holds at most ${bound}`
  throw new DomainError('amount_too_large', detail)
}
