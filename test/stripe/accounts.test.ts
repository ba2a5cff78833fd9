import { expect, test } from 'vitest'
import { parseKey } from '../../src/stripe/accounts.ts'

const policy = { allowLiveKeys: true, elsewhere: false }
const sandbox = { allowLiveKeys: true, elsewhere: true }

test.each([
  ['sk_test_sandbox', 'secret', false],
  ['rk_test_51Habc', 'restricted', false],
  ['sk_live_51Habc', 'secret', true],
  ['rk_live_51Habc', 'restricted', true],
])('%s is a %s key', (key, kind, livemode) => {
  expect(parseKey(key, policy)).toEqual({ kind, livemode })
})

test.each([
  ['pk_test_51Habc', 'stripe_key_publishable'],
  ['pk_live_51Habc', 'stripe_key_publishable'],
  ['whsec_123', 'stripe_key_invalid'],
  ['sk_test_', 'stripe_key_invalid'],
  ['sk_test_with space', 'stripe_key_invalid'],
  ['sk_test_line\nbreak', 'stripe_key_invalid'],
  ['', 'stripe_key_invalid'],
])('%j is refused as %s, and not echoed', (key, code) => {
  expect(() => parseKey(key, policy)).toThrow(expect.objectContaining({ code }))
  if (key.length > 8) expect(() => parseKey(key, policy)).not.toThrow(key)
})

test('live keys never go to another address than Stripe, nor where they are not allowed', () => {
  const refusal = expect.objectContaining({ code: 'stripe_key_live_refused' })
  expect(() => parseKey('sk_live_51Habc', sandbox)).toThrow(refusal)
  expect(() => parseKey('rk_live_51Habc', { ...policy, allowLiveKeys: false })).toThrow(refusal)
})
