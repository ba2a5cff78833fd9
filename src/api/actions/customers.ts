import type { Transaction } from 'kysely'
import { isKnownCurrency } from '../../domain/currency.ts'
import { isTimeZone } from '../../domain/calendar.ts'
import { DomainError } from '../../domain/errors.ts'
import {
  deleteCustomer,
  findCustomer,
  findCustomerUse,
  insertCustomer,
  replaceCustomer,
} from '../../db/stores/customers.ts'
import type { CustomerContent, CustomerRow } from '../../db/stores/customers.ts'
import { lockClock, lockCustomer } from '../../db/stores/subscription-create.ts'
import type { DB } from '../../db/types.gen.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import type { CustomerCreate, CustomerReplaceUpdate } from '../schemas/customers.ts'

const DEFAULT_TIMEZONE = 'UTC'

/** Without subject keys, usage is attributed by the key: a customer whose usage nobody counts would be billed nothing. */
function subjectKeysOf({ key, usageAttribution }: CustomerReplaceUpdate): readonly string[] {
  if (usageAttribution !== undefined) return usageAttribution.subjectKeys
  if (key !== undefined) return [key]
  throw new DomainError(
    'validation_failed',
    'key or usageAttribution.subjectKeys must be given: usage is attributed by them.',
    { field: 'usageAttribution' },
  )
}

function contentOf(input: CustomerReplaceUpdate, timezone: string): CustomerContent {
  if (input.currency !== undefined && !isKnownCurrency(input.currency)) {
    throw new DomainError('unknown_currency', `"${input.currency}" is not a known currency.`, {
      field: 'currency',
    })
  }
  if (!isTimeZone(timezone))
    throw new DomainError('invalid_time_zone', `"${timezone}" is not an IANA time zone.`, {
      field: 'timezone',
    })
  return {
    key: input.key ?? null,
    name: input.name,
    description: input.description ?? null,
    metadata: input.metadata ?? null,
    primaryEmail: input.primaryEmail ?? null,
    currency: input.currency ?? null,
    timezone,
    billingAddress: input.billingAddress ?? null,
    subjectKeys: subjectKeysOf(input),
  }
}

/** A living customer by id or key. Errors: not_found. */
export async function requireCustomer({ db }: Pick<ApiDeps, 'db'>, idOrKey: string): Promise<CustomerRow> {
  const customer = found(await findCustomer(db, idOrKey), 'customer', idOrKey)
  if (customer.deletedAt !== null) throw new DomainError('not_found', `The customer ${idOrKey} was deleted.`)
  return customer
}

/** The clock stays while the customer is attached to it. */
async function checkTestClock(trx: Transaction<DB>, testClockId: string): Promise<void> {
  if ((await lockClock(trx, testClockId)) !== undefined) return
  throw new DomainError('validation_failed', `There is no test clock ${testClockId}; create it first.`, {
    field: 'testClockId',
  })
}

export async function createCustomer(deps: ApiDeps, input: CustomerCreate): Promise<CustomerRow> {
  const content = contentOf(input, input.timezone ?? DEFAULT_TIMEZONE)
  const id = deps.newId()
  const testClockId = input.testClockId ?? null
  await deps.db.transaction().execute(async (trx) => {
    if (testClockId !== null) await checkTestClock(trx, testClockId)
    await insertCustomer(trx, { ...content, id, testClockId }, deps.now())
  })
  return requireCustomer(deps, id)
}

/** Replaces all but the test clock, which stays, and the time zone, which stays where it is left out. */
export async function updateCustomer(
  deps: ApiDeps,
  idOrKey: string,
  input: CustomerReplaceUpdate,
): Promise<CustomerRow> {
  const { id, timezone } = await requireCustomer(deps, idOrKey)
  const content = contentOf(input, input.timezone ?? timezone)
  await deps.db.transaction().execute((trx) => replaceCustomer(trx, id, content, deps.now()))
  return requireCustomer(deps, id)
}

export async function removeCustomer(deps: ApiDeps, idOrKey: string): Promise<void> {
  const { id } = await requireCustomer(deps, idOrKey)
  await deps.db.transaction().execute(async (trx) => {
    await lockCustomer(trx, id)
    const use = await findCustomerUse(trx, id)
    if (use !== null) throw new DomainError('customer_in_use', `The customer still has ${use}.`)
    await deleteCustomer(trx, id, deps.now())
  })
}
