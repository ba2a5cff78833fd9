import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { rulesNamedIn } from '../../scripts/check-rules.ts'
import { errorDocsUrl, renderErrorDocs } from '../../scripts/generate-error-docs.ts'
import { DomainError, errorCodes, isDomainError, isErrorCode } from '../../src/domain/errors.ts'

test('the page of errors is what the table says (npx tsx scripts/generate-error-docs.ts)', async () => {
  expect(await readFile(errorDocsUrl, 'utf8')).toBe(renderErrorDocs())
})

test('every code says what happened and what to do', () => {
  for (const [code, { status, title, todo }] of Object.entries(errorCodes)) {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(title).toMatch(/^[A-Z].*[^.]$/)
    expect(todo).toMatch(/\.$/)
  }
})

test('a refusal has its code, the field and the facts, and the title where nothing is said', () => {
  const error = new DomainError('conflict', undefined, { field: 'name', details: { version: 3 } })
  expect(error).toMatchObject({
    code: 'conflict',
    field: 'name',
    details: { version: 3 },
    message: errorCodes.conflict.title,
  })
  expect([isDomainError(error), isDomainError(new Error('conflict'))]).toEqual([true, false])
})

test('only codes of the table are codes', () => {
  expect(['not_found', 'toString', 'nonsense'].map(isErrorCode)).toEqual([true, false, false])
})

test('the check of rules reads the numbers that names of tests start with', () => {
  const source = `test('rule 71: a', …) test("rules 80 and 91: b", …) // see rule 12: no name\n expect('a rule 51: no')`
  expect(rulesNamedIn(source)).toEqual([71, 80, 91])
})
