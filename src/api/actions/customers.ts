import { isDeepStrictEqual } from 'node:util'
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
import { insertOutbox } from '../../db/stores/outbox.ts'
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

/** In a transaction of the caller. Errors: duplicate_key, validation_failed, unknown_currency, invalid_time_zone. */
export async function insertNewCustomer(
  deps: ApiDeps,
  trx: Transaction<DB>,
  { id, input }: { readonly id: string; readonly input: CustomerCreate },
): Promise<void> {
  const content = contentOf(input, input.timezone ?? DEFAULT_TIMEZONE)
  const testClockId = input.testClockId ?? null
  if (testClockId !== null) await checkTestClock(trx, testClockId)
  await insertCustomer(trx, { ...content, id, testClockId }, deps.now())
}

export async function createCustomer(deps: ApiDeps, input: CustomerCreate): Promise<CustomerRow> {
  const id = deps.newId()
  await deps.db.transaction().execute(async (trx) => await insertNewCustomer(deps, trx, { id, input }))
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
  await deps.db.transaction().execute(async (trx) => await replace(deps, trx, { id, content }))
  return requireCustomer(deps, id)
}

/** Stripe is told of another e-mail address by the relay: a Stripe that does not answer does not lose the change. */
async function replace(
  deps: ApiDeps,
  trx: Transaction<DB>,
  { id, content }: { readonly id: string; readonly content: CustomerContent },
): Promise<void> {
  await lockCustomer(trx, id)
  const before = await findCustomer(trx, id)
  await replaceCustomer(trx, id, content, deps.now())
  if (content.primaryEmail !== null && content.primaryEmail !== before?.primaryEmail)
    await insertOutbox(trx, { kind: 'customer_changed', subjectId: id })
}

/** Adds what a customer lacks; what it has stays, and its subject keys are joined. Errors: as for a new one. */
export async function fillCustomer(
  deps: ApiDeps,
  id: string,
  given: Partial<CustomerCreate>,
): Promise<CustomerRow> {
  await deps.db.transaction().execute(async (trx) => {
    await lockCustomer(trx, id)
    const row = await requireCustomer({ db: trx }, id)
    const wanted = contentOf({ ...given, name: row.name, key: row.key ?? id }, row.timezone)
    const subjects = given.usageAttribution?.subjectKeys ?? []
    const content: CustomerContent = {
      key: row.key,
      name: row.name,
      timezone: row.timezone,
      description: row.description ?? wanted.description,
      metadata: row.metadata ?? wanted.metadata,
      primaryEmail: row.primaryEmail ?? wanted.primaryEmail,
      currency: row.currency ?? wanted.currency,
      billingAddress: row.billingAddress ?? wanted.billingAddress,
      subjectKeys: [...new Set([...row.subjectKeys, ...subjects])],
    }
    if (isSame(content, row)) return
    await replace(deps, trx, { id, content })
  })
  return requireCustomer(deps, id)
}

function isSame(content: CustomerContent, row: CustomerRow): boolean {
  return (Object.keys(content) as (keyof CustomerContent)[]).every((name) =>
    isDeepStrictEqual(
      name === 'subjectKeys' ? content[name].toSorted() : content[name],
      name === 'subjectKeys' ? row[name].toSorted() : row[name],
    ),
  )
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
