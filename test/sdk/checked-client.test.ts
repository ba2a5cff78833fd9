import { expect, test } from 'vitest'
import { checkBody } from './checked-client.ts'
import { readContract } from './contract-schemas.ts'
import type { ContractCall } from './contract-schemas.ts'

const { calls } = readContract()
const callOf = (operationId: string): ContractCall => {
  const call = calls.find((one) => one.operationId === operationId)
  if (call === undefined) throw new Error(`there is no ${operationId}`)
  return call
}
const json = (status: number) => ({
  status,
  headers: new Headers({ 'content-type': 'application/json; charset=utf-8' }),
})
const at = '2026-01-01T00:00:00.000Z'
const meter = {
  id: '01G65Z755AFWAKHE12NY0CQ9FH',
  createdAt: at,
  updatedAt: at,
  slug: 'tokens',
  aggregation: 'SUM',
  eventType: 'request',
}
const check = (change: object, status = 200): string | null =>
  checkBody(callOf('getMeter'), json(status), JSON.stringify({ ...meter, ...change }))

test('the check takes what the client’s types allow, and more beside it', () => {
  expect(check({})).toBeNull()
  expect(check({ ours: true })).toBeNull()
})

test.each([
  ['a required field is missing', { slug: undefined }, "required property 'slug'"],
  ['an instant is none', { createdAt: 'yesterday' }, 'createdAt must match format'],
  ['an id is no ULID', { id: 'meter-1' }, 'id must match pattern'],
  ['an enum has a value of its own', { aggregation: 'MEDIAN' }, 'aggregation must be equal'],
  ['a type is another', { groupBy: ['kind'] }, 'groupBy must be object'],
])('the check refuses a body in which %s', (_name, change, words) => {
  expect(check(change)).toContain(words)
})

test('the check refuses a status, a content type and a body that the contract does not have', () => {
  expect(check({}, 202)).toContain('knows no such status')
  const html = { status: 200, headers: new Headers({ 'content-type': 'text/html' }) }
  expect(checkBody(callOf('getMeter'), html, '<p>')).toContain('text/html')
  expect(checkBody(callOf('deleteMeter'), json(204), '{}')).toContain('a body where there is none')
})
