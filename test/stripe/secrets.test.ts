import { expect, test } from 'vitest'
import { createSecretBox, maskKey } from '../../src/stripe/secrets.ts'

const masterKey = 'a master key of at least thirty-two bytes'
const owner = { appId: 'app_1', field: 'api_key' } as const

test('a sealed secret opens again and does not show what it holds', () => {
  const box = createSecretBox({ masterKey })
  const sealed = box.seal('sk_test_secret', owner)
  expect(sealed).toMatch(/^v1\.[\w-]+\.[\w-]+$/)
  expect(Buffer.from(sealed.split('.')[2] ?? '', 'base64url').toString('latin1')).not.toContain('sk_test')
  expect(box.open(sealed, owner)).toBe('sk_test_secret')
})

test('two seals of one secret differ', () => {
  const box = createSecretBox({ masterKey })
  expect(box.seal('same', owner)).not.toBe(box.seal('same', owner))
})

test.each([
  ['another app', { appId: 'app_2', field: 'api_key' }],
  ['another field', { appId: 'app_1', field: 'webhook_secret' }],
] as const)('a secret copied to %s does not open', (_where, other) => {
  const box = createSecretBox({ masterKey })
  expect(() => box.open(box.seal('secret', owner), other)).toThrow(
    expect.objectContaining({ code: 'stripe_secret_unreadable' }),
  )
})

test('another master key does not open it', () => {
  const sealed = createSecretBox({ masterKey }).seal('secret', owner)
  expect(() => createSecretBox({ masterKey: `${masterKey}!` }).open(sealed, owner)).toThrow(
    expect.objectContaining({ code: 'stripe_secret_unreadable' }),
  )
})

test('under a new master key the previous one opens what it sealed, and seals nothing', () => {
  const before = createSecretBox({ masterKey })
  const during = createSecretBox({ masterKey: 'n'.repeat(32), previousMasterKey: masterKey })
  const after = createSecretBox({ masterKey: 'n'.repeat(32) })
  const sealed = before.seal('secret', owner)
  expect(during.open(sealed, owner)).toBe('secret')
  expect(after.open(during.seal('secret', owner), owner)).toBe('secret')
  expect(() => before.open(during.seal('secret', owner), owner)).toThrow()
})

test('a secret that is sealed anew opens with the new key alone, and is left alone the next time', () => {
  const before = createSecretBox({ masterKey })
  const during = createSecretBox({ masterKey: 'n'.repeat(32), previousMasterKey: masterKey })
  const after = createSecretBox({ masterKey: 'n'.repeat(32) })
  const resealed = during.reseal(before.seal('secret', owner), owner) ?? ''
  expect(after.open(resealed, owner)).toBe('secret')
  expect(() => before.open(resealed, owner)).toThrow()
  expect(during.reseal(resealed, owner)).toBeNull()
})

test('what is damaged, or under a third key, is not sealed anew', () => {
  const during = createSecretBox({ masterKey: 'n'.repeat(32), previousMasterKey: masterKey })
  const sealed = createSecretBox({ masterKey }).seal('secret', owner)
  const third = createSecretBox({ masterKey: 't'.repeat(32) }).seal('secret', owner)
  for (const value of [`${sealed.slice(0, -4)}AAAA`, third, 'v1.a.b']) {
    expect(() => during.reseal(value, owner)).toThrow(
      expect.objectContaining({ code: 'stripe_secret_unreadable' }),
    )
  }
})

test('a damaged, truncated or foreign value is refused without detail', () => {
  const box = createSecretBox({ masterKey })
  const sealed = box.seal('secret', owner)
  const last = sealed.at(-2) === 'A' ? 'B' : 'A'
  const damaged = [
    `${sealed.slice(0, -2)}${last}${sealed.slice(-1)}`,
    sealed.slice(0, -8),
    `v2${sealed.slice(2)}`,
    'plain',
    '',
  ]
  for (const value of damaged) {
    expect(() => box.open(value, owner)).toThrow(
      expect.objectContaining({ code: 'stripe_secret_unreadable' }),
    )
  }
})

test('a short master key is refused', () => {
  expect(() => createSecretBox({ masterKey: 'short' })).toThrow(RangeError)
})

test('of a key only the prefix and the last four characters are shown', () => {
  expect(maskKey('sk_test_51ABCDEFGHwxyz')).toBe('sk_test_…wxyz')
  expect(maskKey('rk_live_51ABCDEFGHwxyz')).toBe('rk_live_…wxyz')
  expect(maskKey('sk_test_short')).toBe('sk_test_…')
})
