import { refuse } from './errors.ts'

/** `rk_test_****abcd`: what Stripe shows of a key. */
export function maskKey(key: string): string {
  return key.length > 12 ? `${key.slice(0, 8)}****${key.slice(-4)}` : '****'
}

/** The key of a request's Authorization header, Bearer or Basic; '' when there is none. */
function keyOf(authorization: string): string {
  const basic = /^Basic (.+)$/.exec(authorization)?.[1]
  if (basic === undefined) return authorization.replace(/^Bearer /, '')
  return Buffer.from(basic, 'base64').toString().split(':')[0] ?? ''
}

/** Secret and restricted test keys pass; live ones are refused with a reason, for a sandbox must never hold one. */
export function authenticate(
  authorization: string,
  revokedOf: (key: string) => 'expired' | 'deleted' | null,
): string {
  const key = keyOf(authorization)
  if (key === '')
    throw refuse(
      'You did not provide an API key. You need to provide your API key in the Authorization header.',
      { status: 401 },
    )
  if (/^[rs]k_live_/.test(key))
    throw refuse(`The local sandbox refuses live keys: ${maskKey(key)}`, { status: 401 })
  const revoked = revokedOf(key)
  if (revoked === 'expired')
    throw refuse(`Expired API Key provided: ${maskKey(key)}`, { code: 'api_key_expired', status: 401 })
  if (revoked === 'deleted' || !/^[rs]k_test_\w+$/.test(key))
    throw refuse(`Invalid API Key provided: ${maskKey(key)}`, { status: 401 })
  return key
}
