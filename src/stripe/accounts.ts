import { DomainError } from '../domain/errors.ts'
import type { Connections } from './client.ts'
import { classifyStripeError } from './failures.ts'
import { refusedPermission } from './permissions.ts'
import { maskKey } from './secrets.ts'
import type { ClassifiedFailure, InspectedKey } from './types.ts'

export interface KeyPolicy {
  readonly allowLiveKeys: boolean
  /** True when requests go to another address than Stripe's, e.g. the sandbox. */
  readonly elsewhere: boolean
}

const secretKey = /^(sk|rk)_(test|live)_[A-Za-z0-9_]{1,250}$/

/** Refuses what cannot be a usable key before it is sent anywhere, then asks Stripe whose it is. */
export async function inspectKey(
  connections: Connections,
  policy: KeyPolicy,
  key: string,
): Promise<InspectedKey> {
  const { kind, livemode } = parseKey(key, policy)
  const account = await accountOf(connections, key)
  return { ...account, livemode, keyMask: maskKey(key), kind }
}

/** Throws the DomainError that says what is wrong with the key's form; never echoes it. */
export function parseKey(key: string, policy: KeyPolicy): Pick<InspectedKey, 'kind' | 'livemode'> {
  if (key.startsWith('pk_')) {
    throw new DomainError(
      'stripe_key_publishable',
      'This is a publishable key (pk_): give a secret (sk_) or a restricted one (rk_).',
      { field: 'apiKey' },
    )
  }
  const match = secretKey.exec(key)
  if (match === null) {
    throw new DomainError(
      'stripe_key_invalid',
      'A Stripe key starts with sk_test_, rk_test_, sk_live_ or rk_live_.',
      { field: 'apiKey' },
    )
  }
  const livemode = match[2] === 'live'
  if (livemode && (policy.elsewhere || !policy.allowLiveKeys)) {
    throw new DomainError(
      'stripe_key_live_refused',
      'Live keys are not accepted by this installation: give a test key, or start it with STRIPE_ALLOW_LIVE_KEYS=true.',
      { field: 'apiKey' },
    )
  }
  return { kind: match[1] === 'sk' ? 'secret' : 'restricted', livemode }
}

type Account = Pick<InspectedKey, 'accountId' | 'businessName' | 'country'>

async function accountOf(connections: Connections, key: string): Promise<Account> {
  try {
    const account = await connections
      .ofKey(key)
      .call('account.retrieve', (stripe) => stripe.accounts.retrieveCurrent())
    const businessName = account.business_profile?.name ?? null
    return { accountId: account.id, businessName, country: account.country ?? null }
  } catch (error) {
    const failure = classifyStripeError(error)
    if (failure.kind !== 'auth') throw error
    if (refusedPermission(failure) === null) throw notAccepted(failure)
    // A key that may not read its account works all the same; the refusal names the account where Stripe says it.
    return { accountId: accountIn.exec(failure.message)?.[0] ?? null, businessName: null, country: null }
  }
}

const accountIn = /\bacct_\w+/

function notAccepted({ code }: ClassifiedFailure): DomainError {
  const why = code === 'api_key_expired' ? 'it has expired or was rolled' : 'it is wrong or was revoked'
  return new DomainError('stripe_key_unauthorized', `Stripe does not accept this key: ${why}`)
}
