import { expect, test } from 'vitest'
import { AMOUNT_MAX, requireBillableAmounts } from '../../src/domain/amount-limit.ts'
import { currency } from '../../src/domain/currency.ts'
import { parseDecimal } from '../../src/domain/decimal.ts'
import { roundToMinor } from '../../src/domain/money.ts'
import { usd } from './builders.ts'

const line = (amountMinor: bigint, discountMinor = 0n) => ({ name: 'Tokens', amountMinor, discountMinor })
const most = 10n ** 13n

test('rule 33: a line holds 10^13 minor units', () => {
  expect(() => requireBillableAmounts([line(most), line(-most), line(0n, most)], usd)).not.toThrow()
})

test.each([
  ['an amount beyond', line(most + 1n), 'The line Tokens would be $100,000,000,000.01; a line holds at most'],
  [
    'a credit beyond',
    line(-most - 1n),
    'The line Tokens would be -$100,000,000,000.01; a line holds at most',
  ],
  ['a discount beyond', line(0n, most + 1n), 'The line Tokens would be $100,000,000,000.01; a line holds'],
])('rule 33: %s is refused, and its line named', (_, refused, detail) => {
  expect(() => requireBillableAmounts([line(1n), refused], usd)).toThrow(detail)
})

test('the highest price fits into a line of every currency, the ones with three digits too', () => {
  const dinar = currency('KWD')
  const fee = line(roundToMinor(parseDecimal(AMOUNT_MAX), dinar))
  expect(() => requireBillableAmounts([fee], dinar)).not.toThrow()
})
