import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseExactJson } from '../../src/api/event-body.ts'
import { Decimal } from '../../src/domain/decimal.ts'
import { exactJson, readNumber } from '../../src/domain/exact-number.ts'

const digits = fc.stringMatching(/^[1-9][0-9]{0,40}$/)
const literals = fc
  .tuple(
    fc.constantFrom('', '-'),
    digits,
    fc.option(fc.stringMatching(/^[0-9]{1,30}$/)),
    fc.option(fc.integer({ min: -60, max: 60 })),
  )
  .map(
    ([sign, whole, decimals, exponent]) =>
      `${sign}${whole}${decimals === null ? '' : `.${decimals}`}${exponent === null ? '' : `e${exponent}`}`,
  )

test('a number in JSON is written as the same number, whatever its digits', () => {
  fc.assert(
    fc.property(fc.array(literals, { minLength: 1, maxLength: 4 }), (list) => {
      const text = exactJson(parseExactJson(`{"list":[${list.join(', ')}]}`))
      const written = text.slice('{"list":['.length, -2).split(',')
      expect(written.map((number) => new Decimal(number).toFixed())).toEqual(
        list.map((number) => new Decimal(number).toFixed()),
      )
    }),
  )
})

test('any JSON is written as JSON that reads the same', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = JSON.parse(text) as unknown
      expect(JSON.parse(exactJson(parseExactJson(text)))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test.each(['1e400', '-1e-400', `1e${'9'.repeat(30)}`, '1'.repeat(500)])(
  'a number beyond doubles stays text: %.20s',
  (literal) => {
    expect(readNumber(literal)).toBe(literal)
  },
)

test('a number that is the whole of the data keeps its digits, too', () => {
  for (const text of ['12345678901234567890.5', '1000000000000000000000'])
    expect(exactJson(parseExactJson(text))).toBe(text)
})
