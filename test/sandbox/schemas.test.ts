import { expect, test } from 'vitest'
import { routes } from '../../src/sandbox/routes.ts'
import {
  assertJournalMatchesSpec,
  documentedParameters,
  validateStripeRequest,
} from '../support/stripe-request-schemas.ts'
import { customerWith, openInvoice, startWorld } from './world.ts'

test('the sandbox takes no parameter that Stripe does not document', () => {
  const invented = routes.flatMap(({ method, pattern, names }) => {
    const known = documentedParameters(`${method} ${pattern.replaceAll(/:[a-z]+/g, '*')}`)
    if (known === undefined) return [`${method} ${pattern}`]
    return names.filter((name) => !known.includes(name)).map((name) => `${method} ${pattern} ${name}`)
  })
  expect(invented).toEqual([])
})

test('a sound request passes; unknown members at any depth, bad words and long texts do not', () => {
  const check = (body: object, path = '/v1/invoices') => validateStripeRequest({ method: 'POST', path, body })
  expect(check({ customer: 'cus_1', auto_advance: 'false', discounts: '', metadata: { a: 'b' } })).toEqual([])
  expect(
    check({ lines: [{ amount: '12', period: { start: '1', end: '2' } }] }, '/v1/invoices/in_1/add_lines'),
  ).toEqual([])
  expect(check({ lines: [{ amount: '12', colour: 'red' }] }, '/v1/invoices/in_1/add_lines')).toHaveLength(1)
  expect(check({ subscription_details: { a: '1' } })).toHaveLength(1)
  expect(check({ collection_method: 'by_pigeon' })).toHaveLength(1)
  expect(check({ number: 'x'.repeat(27) })).toHaveLength(1)
  expect(check({ auto_advance: 'perhaps' })).not.toEqual([])
  expect(check({}, '/v1/invoices/in_1/add_lines')).toHaveLength(1)
  expect(validateStripeRequest({ method: 'POST', path: '/v1/nonsense', body: {} })).toHaveLength(1)
})

test('parameters that endive removed are refused though the older document has them', () => {
  const body = { mode: 'setup', payment_method_types: ['card'] }
  expect(validateStripeRequest({ method: 'POST', path: '/v1/checkout/sessions', body })).toHaveLength(1)
})

test('a sandbox journal is checked as a whole', async () => {
  const { stripe, url, close } = await startWorld()
  await openInvoice(stripe, (await customerWith(stripe)).id, 500)
  await assertJournalMatchesSpec(url)
  await stripe.customers.create({ nonsense: '1' } as never).catch(() => {})
  await expect(assertJournalMatchesSpec(url)).rejects.toThrow('nonsense')
  await close()
})
