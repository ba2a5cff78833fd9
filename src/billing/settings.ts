import type { Selectable } from 'kysely'
import type { Db } from '../db/connection.ts'
import { billingRows } from '../db/stores/billing-settings.ts'
import type { BillingRows } from '../db/stores/billing-settings.ts'
import type { Apps, BillingProfiles, CustomerApps, Customers } from '../db/types.gen.ts'
import type { AccessGate } from '../domain/access.ts'
import type { DunningPolicy } from '../domain/dunning.ts'
import { DomainError } from '../domain/errors.ts'

/** The contract's workflow document with every default filled in. */
export interface WorkflowSettings {
  readonly collection: { readonly alignment?: unknown; readonly interval: string }
  readonly invoicing: {
    readonly autoAdvance: boolean
    readonly draftPeriod: string
    readonly dueAfter: string
    readonly progressiveBilling: boolean
    readonly defaultTaxConfig?: unknown
  }
  readonly payment: { readonly collectionMethod: 'charge_automatically' | 'send_invoice' }
  readonly tax: { readonly enabled: boolean; readonly enforced: boolean }
}

export interface LateUsagePolicy {
  readonly policy: 'bill_on_next' | 'ignore'
  /** How long after a period it is still looked at, ISO-8601. */
  readonly window: string
}

export interface AccessPolicy {
  readonly gate: AccessGate
}

/** How invoices are kept at Stripe. */
export interface StripeBilling {
  /** `subscription_items`: no invoice of ours is made there; pending items are, which Stripe's own invoices bill. */
  readonly billing: 'invoice' | 'subscription_items'
  /** `continuously`: the draft at Stripe grows with the period. */
  readonly synchronize: 'at_issuing' | 'continuously'
  /** `approved_bills`: nothing reaches Stripe before it is approved here. */
  readonly send: 'every_bill' | 'approved_bills'
  /** What an invoice may be paid with, in Stripe's words; empty: what the account has enabled. */
  readonly paymentMethodTypes: readonly string[]
}

/** What a profile settles, with a customer's overrides merged in. */
export interface ProfileSettings {
  readonly workflow: WorkflowSettings
  readonly dunning: DunningPolicy
  readonly lateUsage: LateUsagePolicy
  /** The profile's; a plan's own gate comes before it. */
  readonly access: AccessPolicy
  readonly stripe: StripeBilling
  /** For a customer that names no currency. */
  readonly defaultCurrency: string | null
}

/** How a customer is billed: their profile with their overrides, the app, and who they are there. */
export interface BillingSettings extends ProfileSettings {
  readonly profileId: string
  readonly supplier: unknown
  readonly app: Selectable<Apps>
  /** Null when the customer is not linked to the app yet. */
  readonly link: Selectable<CustomerApps> | null
  readonly customer: Selectable<Customers>
  readonly subjectKeys: readonly string[]
}

type Documents = 'workflow' | 'dunning' | 'lateUsage' | 'access' | 'stripe'
type ProfileDocuments = Pick<Selectable<BillingProfiles>, Documents | 'defaultCurrency'>
type OverrideDocuments = Readonly<Record<Documents, unknown>>

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Sections are merged field by field: an override names only what differs. */
function merge(base: unknown, override: unknown): unknown {
  if (!isRecord(base) || !isRecord(override)) return override ?? base
  const keys = new Set([...Object.keys(base), ...Object.keys(override)])
  return Object.fromEntries([...keys].map((key) => [key, merge(base[key], override[key])]))
}

/** A profile as it applies to a customer. Documents are validated where they are written, with defaults filled in. */
export function effectiveProfile(
  profile: ProfileDocuments,
  override: OverrideDocuments | null | undefined,
): ProfileSettings {
  return {
    workflow: merge(profile.workflow, override?.workflow) as WorkflowSettings,
    dunning: merge(profile.dunning, override?.dunning) as DunningPolicy,
    lateUsage: merge(profile.lateUsage, override?.lateUsage) as LateUsagePolicy,
    access: merge(profile.access, override?.access) as AccessPolicy,
    stripe: merge(profile.stripe, override?.stripe) as StripeBilling,
    defaultCurrency: profile.defaultCurrency,
  }
}

/** Loads how a customer is billed now. Errors: not_found (customer), profile_missing (no profile applies). */
export async function loadSettings(db: Db, customerId: string): Promise<BillingSettings> {
  const rows = await billingRows(db, customerId)
  if (rows === null) throw new DomainError('not_found', `customer ${customerId} does not exist`)
  return settingsOf(rows)
}

/** What the rows say. Errors: profile_missing (no profile applies). */
export function settingsOf(rows: BillingRows): BillingSettings {
  const { customer, override, profile, app, link, subjectKeys } = rows
  if (profile === null || app === null) {
    throw new DomainError(
      'profile_missing',
      'no billing profile applies: create a default one, or link the customer to one',
    )
  }
  return {
    profileId: profile.id,
    supplier: profile.supplier,
    ...effectiveProfile(profile, override),
    app,
    link,
    customer,
    subjectKeys,
  }
}
