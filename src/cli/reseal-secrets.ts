import type { Db } from '../db/connection.ts'
import { listSealedSecrets, replaceSealedSecret } from '../db/stores/sealed-secrets.ts'
import type { SealedSecret } from '../db/stores/sealed-secrets.ts'
import { isDomainError } from '../domain/errors.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'

export interface ResealReport {
  /** Under the present master key since now. */
  readonly resealed: number
  /** Under it before. */
  readonly present: number
  /** That neither key opens: such an app needs its Stripe key again. */
  readonly unreadable: readonly { readonly appId: string; readonly field: string }[]
}

/** A secret that is replaced while we look is looked at again; more often than this, somebody is at work on it. */
const MAX_ROUNDS = 10

/**
 * Puts every stored secret under the present master key, one at a time, each in a statement of its own: whatever stops
 * it, what is done is done, and another run does the rest.
 */
export async function resealSecrets(
  db: Db,
  { resealSecret }: Pick<StripeGateway, 'resealSecret'>,
): Promise<ResealReport> {
  let resealed = 0
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const secrets = await listSealedSecrets(db)
    const unreadable: ResealReport['unreadable'][number][] = []
    let changed = 0
    for (const secret of secrets) {
      const { anew, isReadable } = tryReseal(resealSecret, secret)
      if (!isReadable) unreadable.push({ appId: secret.appId, field: secret.field })
      if (anew === null) continue
      if (await replaceSealedSecret(db, secret, anew)) resealed += 1
      else changed += 1
    }
    if (changed === 0) return { resealed, present: secrets.length - resealed - unreadable.length, unreadable }
  }
  throw new Error(`secrets were changed ${MAX_ROUNDS} times while they were sealed anew`)
}

function tryReseal(
  reseal: StripeGateway['resealSecret'],
  { sealed, appId, field }: SealedSecret,
): { readonly anew: string | null; readonly isReadable: boolean } {
  try {
    return { anew: reseal(sealed, { appId, field }), isReadable: true }
  } catch (error) {
    if (isDomainError(error) && error.code === 'stripe_secret_unreadable')
      return { anew: null, isReadable: false }
    throw error
  }
}
