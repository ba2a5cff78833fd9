import { expect, test } from 'vitest'
import { describeValidation } from '../../src/api/plugins/validation-problem.ts'

const failedConstant = (allowedValue: string, instancePath = '/statuses/0') => ({
  keyword: 'const',
  instancePath,
  schemaPath: '',
  params: { allowedValue },
})

test('a value outside a union of constants is told every one of them', () => {
  const errors = [failedConstant('draft'), failedConstant('paid'), failedConstant('other', '/kind')]
  expect(describeValidation(errors, 'querystring')).toEqual({
    field: 'statuses[0]',
    detail: 'statuses[0] must be one of "draft", "paid".',
  })
})

test('a union of constants and a shape is told all of it', () => {
  const instant = {
    keyword: 'format',
    instancePath: '/timing',
    schemaPath: '',
    params: { format: 'date-time' },
  }
  const errors = [failedConstant('immediate', '/timing'), failedConstant('later', '/timing'), instant]
  expect(describeValidation(errors, 'body').detail).toBe(
    'timing must be one of "immediate", "later", or be an instant like 2025-01-31T05:00:00Z (RFC 3339).',
  )
})

test('a single constant is told alone', () => {
  expect(describeValidation([failedConstant('1.0', '/specversion')], 'body').detail).toBe(
    'specversion must be "1.0".',
  )
})

test.each([
  ['pattern', { pattern: '^P' }, 'value must be an ISO 8601 duration like P1M or PT24H.'],
  ['pattern', { pattern: '^cus_' }, 'value must be the id of a Stripe customer (cus_…).'],
  ['pattern', { pattern: '^x' }, 'value must match ^x.'],
  ['format', { format: 'email' }, 'value must be an e-mail address like billing@example.com.'],
  ['minLength', { limit: 1 }, 'value must not be empty.'],
  ['minItems', { limit: 1 }, 'value must have at least one entry.'],
  ['maxItems', { limit: 20 }, 'value must have at most 20 entries.'],
])('a value that fails its %s %j is told what would be right', (keyword, params, detail) => {
  const error = { keyword, instancePath: '/value', schemaPath: '', params }
  expect(describeValidation([error], 'body').detail).toBe(detail)
})

test('a phase without a duration is told that the last one has null', () => {
  const error = {
    keyword: 'required',
    instancePath: '/phases/0',
    schemaPath: '',
    params: { missingProperty: 'duration' },
  }
  expect(describeValidation([error], 'body')).toEqual({
    field: 'phases[0].duration',
    detail: 'phases[0].duration must be given: how long the phase lasts, or null for the last phase.',
  })
})
