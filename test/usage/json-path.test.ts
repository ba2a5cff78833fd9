import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isDomainError } from '../../src/domain/errors.ts'
import { formatJsonPath, parseJsonPath, valueAt } from '../../src/domain/json-path.ts'

const name = fc.oneof(
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,8}$/),
  fc.string({ minLength: 1, maxLength: 8 }),
)
const segments = fc.array(fc.oneof(name, fc.nat({ max: 1000 })), { maxLength: 6 })

test('a path written from segments parses to the same segments', () => {
  fc.assert(
    fc.property(segments, (path) => {
      expect(parseJsonPath(formatJsonPath(path))).toEqual(path)
    }),
  )
})

test('any text is either parsed or refused with a reason, never something else', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `$${text}`),
      ),
      (text) => {
        try {
          expect(parseJsonPath(formatJsonPath(parseJsonPath(text)))).toEqual(parseJsonPath(text))
        } catch (error) {
          expect(isDomainError(error) && error.code).toBe('invalid_json_path')
        }
      },
    ),
  )
})

test.each([
  ['$', []],
  ['$.tokens', ['tokens']],
  ["$['to.kens'][0].n", ['to.kens', 0, 'n']],
  ['$["a\'b"]', ["a'b"]],
  ["$['it\\'s']", ["it's"]],
])('%s is read', (text, expected) => {
  expect(parseJsonPath(text)).toEqual(expected)
})

test.each([
  ['tokens', 'start with $'],
  ['$..tokens', 'recursive descent'],
  ['$.*', 'wildcards'],
  ['$[*]', 'wildcards'],
  ['$[?(@.a)]', 'filters'],
  ['$[0:2]', 'slices'],
  ['$[-1]', 'from the end'],
  ['$.', 'missing after the last dot'],
  ['$[0', 'closing ] is missing'],
  ['$.a b', 'is not a step'],
  ['$[01]', 'is not a step'],
  ["$['']", 'is not a step'],
])('%s is refused: %s', (text, why) => {
  expect(() => parseJsonPath(text, 'valueProperty')).toThrow(
    expect.objectContaining({
      code: 'invalid_json_path',
      field: 'valueProperty',
      message: expect.stringContaining(why),
    }),
  )
})

test('a path finds own members and elements only', () => {
  const document = { a: [{ b: 1 }], '0': 'zero' }
  expect(valueAt(document, ['a', 0, 'b'])).toBe(1)
  expect(valueAt(document, ['a', '0'])).toBeUndefined()
  expect(valueAt(document, [0])).toBeUndefined()
  expect(valueAt(document, ['0'])).toBe('zero')
  expect(valueAt(document, ['constructor'])).toBeUndefined()
  expect(valueAt([1], ['length'])).toBeUndefined()
})
