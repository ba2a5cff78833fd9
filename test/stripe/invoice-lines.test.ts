import { expect, test } from 'vitest'
import { compareWithStripe, missingChunks, processorLines } from '../../src/stripe/invoice-lines.ts'
import type { LineToSync } from '../../src/stripe/invoice-types.ts'

const line = (index: number, amountMinor = 100n): LineToSync => ({
  lineId: `line-${index}`,
  amountMinor,
  description: `Line ${index}`,
  fromMs: 0,
  toMs: 86_400_000,
})
const lines = (count: number) => Array.from({ length: count }, (_, index) => line(index))
const amountsIn = (currency: string, amountMinor: bigint) =>
  processorLines({ invoiceId: 'inv', currency, lines: [line(0, amountMinor)] }).map((each) => each.amount)

test.each([
  ['USD', 1234n, 1234],
  ['JPY', 1234n, 1234],
  ['KRW', 5000n, 5000],
  ['KWD', 12_340n, 12_340],
  ['ISK', 1234n, 123_400],
  ['UGX', 50n, 5000],
  ['EUR', -99n, -99],
])('rule 18: %s %d is sent as %d', (currency, ours, theirs) => {
  expect(amountsIn(currency, ours)).toEqual([theirs])
})

test('rule 18: an unknown currency is refused', () => {
  expect(() => amountsIn('XYZ', 1n)).toThrow(expect.objectContaining({ code: 'unknown_currency' }))
})

test('an amount beyond exact integers is refused', () => {
  expect(() => amountsIn('USD', 2n ** 60n)).toThrow(expect.objectContaining({ code: 'internal_error' }))
})

test('250 lines stay as they are; of 300 the tail becomes one, and the sum stays', () => {
  expect(processorLines({ invoiceId: 'inv', currency: 'USD', lines: lines(250) })).toHaveLength(250)
  const folded = processorLines({ invoiceId: 'inv', currency: 'USD', lines: lines(300) })
  expect(folded).toHaveLength(250)
  expect(folded.at(-1)).toMatchObject({ lineId: 'rest:inv', amount: 5100 })
  expect(folded.reduce((sum, each) => sum + each.amount, 0)).toBe(30_000)
})

test('chunks are cut at fixed positions, so that a repeat sends the chunk that was lost', () => {
  const all = processorLines({ invoiceId: 'inv', currency: 'USD', lines: lines(230) })
  const first = missingChunks(all, new Set())
  expect(first.map((chunk) => chunk.lines.length)).toEqual([100, 100, 30])
  const present = new Set(all.slice(0, 100).map((each) => each.lineId))
  const repeat = missingChunks(all, present)
  expect(repeat.map((chunk) => chunk.fingerprint)).toEqual(first.slice(1).map((chunk) => chunk.fingerprint))
  expect(missingChunks(all, new Set(all.map((each) => each.lineId)))).toEqual([])
})

test('rule 17: any difference to Stripe is named with both sides', () => {
  const ours = processorLines({ invoiceId: 'inv', currency: 'USD', lines: lines(2) })
  const theirs = ours.map(({ lineId, amount }) => ({ amount, metadata: { perennial_line_id: lineId } }))
  const compare = (invoice: object, stripeLines: readonly object[] = theirs) =>
    compareWithStripe(
      { currency: 'USD', lines: ours },
      { id: 'in_1', currency: 'usd', subtotal: 200, ...invoice },
      stripeLines as Parameters<typeof compareWithStripe>[2],
    )
  const refusal = expect.objectContaining({ code: 'stripe_totals_differ' })
  expect(() => compare({})).not.toThrow()
  expect(() => compare({ subtotal: 199 })).toThrow(refusal)
  expect(() => compare({ currency: 'eur' })).toThrow(refusal)
  expect(() => compare({}, [...theirs, { amount: 0, metadata: {} }])).toThrow(refusal)
  const swapped = [
    { ...theirs[0], amount: 150 },
    { ...theirs[1], amount: 50 },
  ]
  expect(() => compare({}, swapped)).toThrow(refusal)
  expect(() => compare({ subtotal: 199 })).toThrow(/ours: 200 USD in 2 lines; at Stripe: 199 USD in 2 lines/)
})
