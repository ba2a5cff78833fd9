import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { Stripe } from 'stripe'
import { afterEach, expect, test } from 'vitest'
import { hashApiKey } from '../../src/db/stores/api-keys.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'

const { timingSafeEqual } = crypto
afterEach(() => {
  crypto.timingSafeEqual = timingSafeEqual
  syncBuiltinESMExports()
})

test('the signature of a webhook is compared in constant time, whether it is right or wrong', () => {
  const compared: number[] = []
  crypto.timingSafeEqual = (a, b) => {
    compared.push(a.byteLength)
    return timingSafeEqual(a, b)
  }
  syncBuiltinESMExports()
  const gateway = createStripeGateway({ masterKey: 'm'.repeat(32), limits: false })
  const payload = JSON.stringify({
    id: 'evt_1',
    object: 'event',
    type: 'x',
    created: 1,
    livemode: false,
  })
  const verify = (secret: string) =>
    gateway.verifyWebhook({
      rawBody: Buffer.from(payload),
      header: Stripe.webhooks.generateTestHeaderString({ payload, secret }),
      secrets: ['whsec_right'],
    })
  expect(verify('whsec_right')).toMatchObject({ id: 'evt_1' })
  expect(() => verify('whsec_wrong')).toThrow(expect.objectContaining({ code: 'webhook_signature_invalid' }))
  expect(compared).toEqual([64, 64])
})

test('a key is looked up by its digest, so that nothing of it is compared byte by byte', () => {
  const digest = hashApiKey('per_a')
  expect(digest).toHaveLength(32)
  const near = hashApiKey('per_b')
  const same = digest.filter((byte, index) => byte === near[index])
  expect(same.length, 'keys that are alike have digests that are not').toBeLessThan(4)
})
