import { loadAccess } from '../../billing/access.ts'
import { nowForCustomer } from '../../billing/clock.ts'
import { grantWhatIsOpen } from '../../billing/open-access.ts'
import { holdSubscriptions, lockAccess } from '../../db/stores/access.ts'
import {
  deleteIfBeyond,
  findAccessRequest,
  insertAccessRequest,
  settleAccessRequests,
} from '../../db/stores/access-requests.ts'
import type { AccessRequestRow } from '../../db/stores/access-requests.ts'
import { findFeaturesByKey } from '../../db/stores/features.ts'
import { findSubscription } from '../../db/stores/subscription-reads.ts'
import { DomainError } from '../../domain/errors.ts'
import type { SubscriptionAccess } from '../../billing/access.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import type { AccessRequestCreate } from '../schemas/access.ts'
import { requireCustomer } from './customers.ts'

/** What a customer may use at their own present. Errors: not_found. */
export async function accessOfCustomer(
  deps: ApiDeps,
  idOrKey: string,
): Promise<{ readonly customerId: string; readonly access: readonly SubscriptionAccess[] }> {
  const { id } = await requireCustomer(deps, idOrKey)
  const nowMs = await nowForCustomer(deps.db, id, deps.now())
  return { customerId: id, access: await loadAccess(deps.db, id, nowMs) }
}

/** Each of them is looked at when something is paid, so that there is a limit; those that were granted do not count. */
const MAX_PENDING = 100

/**
 * Asks for access: granted at once where it is open, else kept until the payment that opens it is booked. Errors: not_found,
 * validation_failed (a subscription of somebody else, a feature that does not exist), too_many_access_requests.
 */
export async function requestAccess(
  deps: ApiDeps,
  idOrKey: string,
  input: AccessRequestCreate,
): Promise<AccessRequestRow> {
  const { id: customerId } = await requireCustomer(deps, idOrKey)
  await checkSubject(deps, customerId, input)
  const asOfMs = await nowForCustomer(deps.db, customerId, deps.now())
  // Stored first: a step that is under way either sees it, or is waited for and then seen.
  const { id } = await insertAccessRequest(deps.db, {
    id: deps.newId(),
    customerId,
    subscriptionId: input.subscriptionId ?? null,
    featureKey: input.featureKey ?? null,
    requestedAt: new Date(asOfMs),
    metadata: input.metadata ?? null,
  })
  const request = await deps.db.transaction().execute(async (trx) => {
    await holdSubscriptions(trx, customerId)
    await lockAccess(trx, customerId)
    await grantWhatIsOpen(trx, { customerId, asOfMs })
    await deleteIfBeyond(trx, { customerId, id, limit: MAX_PENDING })
    return await findAccessRequest(trx, { customerId, id })
  })
  if (request !== null) return request
  const detail = `The customer has ${MAX_PENDING} pending requests; withdraw those that are no longer wanted.`
  throw new DomainError('too_many_access_requests', detail)
}

async function checkSubject(
  { db }: ApiDeps,
  customerId: string,
  { subscriptionId, featureKey }: AccessRequestCreate,
): Promise<void> {
  if (subscriptionId !== undefined) {
    const subscription = await findSubscription(db, subscriptionId)
    if (subscription?.customerId !== customerId)
      throw new DomainError('validation_failed', `The customer has no subscription ${subscriptionId}.`, {
        field: 'subscriptionId',
      })
  }
  if (featureKey !== undefined && (await findFeaturesByKey(db, [featureKey])).length === 0)
    throw new DomainError('validation_failed', `There is no feature ${featureKey}.`, { field: 'featureKey' })
}

/** Takes a pending request back. Withdrawn already is no error. Errors: not_found, conflict (it was granted). */
export async function withdrawRequest(deps: ApiDeps, idOrKey: string, id: string): Promise<void> {
  const { id: customerId } = await requireCustomer(deps, idOrKey)
  found(await findAccessRequest(deps.db, { customerId, id }), 'access request', id)
  await settleAccessRequests(deps.db, [id], { status: 'withdrawn' })
  const now = await findAccessRequest(deps.db, { customerId, id })
  if (now?.status === 'granted')
    throw new DomainError('conflict', 'The request was granted; nothing is pending.')
}
