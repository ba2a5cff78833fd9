import type { Transaction } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { Db } from '../../db/connection.ts'
import { findAppsById, lockApp } from '../../db/stores/apps.ts'
import type { AppRow } from '../../db/stores/apps.ts'
import {
  deleteBillingProfile,
  findBillingProfile,
  findDefaultProfile,
  insertBillingProfile,
  lockBillingProfile,
  lockBillingProfiles,
  pinnedCustomers,
  replaceBillingProfile,
  upsertOverride,
} from '../../db/stores/billing-profiles.ts'
import type { BillingProfileContent, BillingProfileRow } from '../../db/stores/billing-profiles.ts'
import type { DB } from '../../db/types.gen.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { withoutNulls } from '../presenters/without-nulls.ts'
import type {
  BillingProfileCreate,
  BillingProfileReplaceUpdate,
  OverrideCreate,
} from '../schemas/billing-profiles.ts'
import { overrideContent, profileSettings } from './profile-settings.ts'

const MAX_NAMED_CUSTOMERS = 10

/** A living profile. Errors: not_found. */
async function requireProfile({ db }: { readonly db: Db }, id: string): Promise<BillingProfileRow> {
  const profile = found(await findBillingProfile(db, id), 'billing profile', id)
  if (profile.deletedAt !== null) throw new DomainError('not_found', `The billing profile ${id} was deleted.`)
  return profile
}

/** The apps of some profiles, by id, where `expand` asks for them. */
export async function expandedApps(
  { db }: ApiDeps,
  profiles: readonly BillingProfileRow[],
  expand: readonly string[] | undefined,
): Promise<ReadonlyMap<string, AppRow>> {
  if (expand?.includes('apps') !== true) return new Map()
  const apps = await findAppsById(db, [...new Set(profiles.map(({ appId }) => appId))])
  return new Map(apps.map((app) => [app.id, app]))
}

function contentOf(input: BillingProfileReplaceUpdate): BillingProfileContent {
  const { name, description, metadata, supplier } = input
  return {
    name,
    description: description ?? null,
    metadata: metadata ?? null,
    supplier,
    isDefault: input.default,
    ...profileSettings(input),
  }
}

/** One app computes tax, invoices and collects; three that differ would have to agree on one invoice. */
async function oneApp(
  trx: Transaction<DB>,
  { tax, invoicing, payment }: BillingProfileCreate['apps'],
): Promise<string> {
  const wrong = tax !== payment ? 'tax' : invoicing !== payment ? 'invoicing' : null
  if (wrong !== null)
    throw new DomainError('validation_failed', 'tax, invoicing and payment must be the same app.', {
      field: `apps.${wrong}`,
    })
  if (!(await lockApp(trx, payment)))
    throw new DomainError('validation_failed', `There is no app ${payment}; install it first.`, {
      field: 'apps.payment',
    })
  return payment
}

export async function createProfile(deps: ApiDeps, input: BillingProfileCreate): Promise<BillingProfileRow> {
  const content = contentOf(input)
  return deps.db.transaction().execute(async (trx) => {
    const appId = await oneApp(trx, input.apps)
    return insertBillingProfile(trx, { ...content, appId, id: deps.newId() }, deps.now())
  })
}

/**
 * Replaces what the contract has. What is ours and left out stays: a client that does not know it does not reset it.
 * Invoices there are keep what they were made with (billing rule 23).
 */
export async function updateProfile(
  deps: ApiDeps,
  id: string,
  input: BillingProfileReplaceUpdate,
): Promise<BillingProfileRow> {
  return deps.db.transaction().execute(async (trx) => {
    await lockBillingProfiles(trx)
    const before = await requireProfile({ db: trx }, id)
    const content = contentOf({ ...oursOf(before), ...input })
    if (before.isDefault && !input.default) {
      throw new DomainError(
        'profile_in_use',
        'The default profile stays it until another is made the default.',
        { field: 'default' },
      )
    }
    return replaceBillingProfile(trx, id, content, deps.now())
  })
}

/** The settings that the contract lacks; their documents were validated when they were written. */
function oursOf(profile: BillingProfileRow): Partial<BillingProfileReplaceUpdate> {
  const { dunning, lateUsage, access, stripe, defaultCurrency } = profile
  return withoutNulls({
    dunning,
    lateUsage,
    access,
    stripe,
    defaultCurrency,
  }) as Partial<BillingProfileReplaceUpdate>
}

/** Names the customers that keep a profile, as far as a person wants to read. */
async function refuseInUse(trx: Transaction<DB>, id: string): Promise<void> {
  const { totalCount, items } = await pinnedCustomers(trx, id, MAX_NAMED_CUSTOMERS)
  if (totalCount === 0) return
  const names = items.map(({ key, id: customerId }) => key ?? customerId).join(', ')
  const rest = totalCount > items.length ? ` and ${totalCount - items.length} more` : ''
  throw new DomainError('profile_in_use', `Customers are linked to it: ${names}${rest}; move them first.`, {
    details: { customerIds: items.map((customer) => customer.id), totalCount },
  })
}

export async function removeProfile(deps: ApiDeps, id: string): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    await lockBillingProfiles(trx)
    await lockBillingProfile(trx, id)
    const profile = await requireProfile({ db: trx }, id)
    if (profile.isDefault)
      throw new DomainError('profile_in_use', 'It is the default profile; make another the default first.')
    await refuseInUse(trx, id)
    await deleteBillingProfile(trx, id, deps.now())
  })
}

/**
 * Links a customer to a profile (none named: the default one), with what differs from it for them. Errors: not_found,
 * profile_missing, and those of a profile's settings.
 */
export async function overrideProfile(
  deps: ApiDeps,
  customerId: string,
  input: OverrideCreate,
): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    const profile = await linkedProfile(trx, input.billingProfileId)
    await upsertOverride(trx, customerId, overrideContent(input, profile), deps.now())
  })
}

/** The profile that a customer is to be linked to, held until the transaction ends. Errors: not_found, profile_missing. */
export async function linkedProfile(
  trx: Transaction<DB>,
  id: string | undefined,
): Promise<BillingProfileRow> {
  if (id !== undefined) {
    await lockBillingProfile(trx, id)
    return await requireProfile({ db: trx }, id)
  }
  const profile = await findDefaultProfile(trx)
  if (profile === null)
    throw new DomainError('profile_missing', 'There is no default billing profile; create one.')
  return profile
}
