import { isDomainError, DomainError } from '../../domain/errors.ts'
import { customerOfRequest, insertCheckoutRequest } from '../../db/stores/checkout-requests.ts'
import { findCustomer } from '../../db/stores/customers.ts'
import type { CustomerRow } from '../../db/stores/customers.ts'
import type { ApiDeps } from '../deps.ts'
import type { CheckoutCustomer } from '../schemas/checkout.ts'
import type { CustomerCreate } from '../schemas/customers.ts'
import { fillCustomer, insertNewCustomer, requireCustomer } from './customers.ts'

/** What a request may be repeated under: its caller's Idempotency-Key. Null: it has none. */
export type RequestId = string | null

/**
 * The customer that a checkout is for, where there is one: named by id or key, or made by an earlier try of the request.
 * Errors: not_found, validation_failed.
 */
export async function existingCustomer(
  deps: ApiDeps,
  given: CheckoutCustomer,
  requestId: RequestId,
): Promise<CustomerRow | null> {
  if (given.id !== undefined) return await requireCustomer(deps, given.id)
  if (given.key !== undefined) {
    const row = await findCustomer(deps.db, given.key)
    if (row !== null && row.deletedAt === null) return row
    if (given.name === undefined) {
      const detail = `There is no customer ${given.key}; one is created where customer.name is given too.`
      throw new DomainError('not_found', detail, { field: 'customer.key' })
    }
  }
  if (given.name === undefined) {
    const detail = 'customer must name one that exists, by id or key, or be one to create, with a name.'
    throw new DomainError('validation_failed', detail, { field: 'customer' })
  }
  const made = requestId === null ? null : await customerOfRequest(deps.db, requestId)
  return made === null ? null : await requireCustomer(deps, made)
}

interface Asked {
  readonly existing: CustomerRow | null
  readonly requestId: RequestId
}

/** Makes the customer, or adds to the one there is what it lacks. Errors: as for creating one. */
export async function customerFor(
  deps: ApiDeps,
  given: CheckoutCustomer,
  { existing, requestId }: Asked,
): Promise<CustomerRow> {
  const { id: _id, key: _key, name: _name, ...details } = given
  if (existing !== null) return await fillCustomer(deps, existing.id, details)
  const input = { ...given, name: given.name ?? '' }
  const id = deps.newId()
  try {
    await create(deps, id, { input, requestId })
    return await requireCustomer(deps, id)
  } catch (error) {
    // Somebody else made it meanwhile.
    const other =
      isDuplicate(error) && given.key !== undefined ? await findCustomer(deps.db, given.key) : null
    if (other === null) throw error
    return await fillCustomer(deps, other.id, details)
  }
}

const isDuplicate = (error: unknown): boolean => isDomainError(error) && error.code === 'duplicate_key'

async function create(
  deps: ApiDeps,
  id: string,
  { input, requestId }: { readonly input: CustomerCreate; readonly requestId: RequestId },
): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    await insertNewCustomer(deps, trx, { id, input })
    if (requestId !== null) await insertCheckoutRequest(trx, requestId, id)
  })
}
