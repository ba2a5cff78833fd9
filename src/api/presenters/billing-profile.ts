import type { AppRow } from '../../db/stores/apps.ts'
import type { BillingOverrideRow, BillingProfileRow } from '../../db/stores/billing-profiles.ts'
import { effectiveProfile } from '../../billing/settings.ts'
import type { BillingProfile, CustomerOverride, Supplier } from '../schemas/billing-profiles.ts'
import { presentApp } from './app.ts'
import { instant, withoutNulls } from './without-nulls.ts'

type Settled = Pick<BillingProfile, 'workflow' | 'dunning' | 'lateUsage' | 'access' | 'stripe'>
type Override = NonNullable<CustomerOverride['customerOverride']>

/** One app does all three; whole where it was asked for, else its id. */
function presentApps(row: BillingProfileRow, app: AppRow | undefined): BillingProfile['apps'] {
  if (app === undefined) {
    const reference = { id: row.appId }
    return { tax: reference, invoicing: reference, payment: reference }
  }
  const whole = presentApp(app)
  return { tax: whole, invoicing: whole, payment: whole }
}

/** Documents were checked against these schemas, and completed, when they were written. */
function documentsOf(row: BillingProfileRow, override?: BillingOverrideRow) {
  const { defaultCurrency, ...settings } = effectiveProfile(row, override)
  return {
    supplier: row.supplier as unknown as Supplier,
    ...(settings as unknown as Settled),
    ...withoutNulls({ defaultCurrency }),
  }
}

/** A billing profile in the contract's words, with our own settings beside them; `app` where it is expanded. */
export function presentBillingProfile(row: BillingProfileRow, app?: AppRow): BillingProfile {
  return {
    id: row.id,
    name: row.name,
    ...documentsOf(row),
    apps: presentApps(row, app),
    default: row.isDefault,
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    ...withoutNulls({
      description: row.description,
      metadata: row.metadata,
      deletedAt: instant(row.deletedAt),
    }),
  }
}

function presentOverride(row: BillingOverrideRow): Override {
  const { billingProfileId, customerId, workflow, dunning, lateUsage, access, stripe } = row
  // Checked against these schemas when they were written.
  const partials = withoutNulls({ workflow, dunning, lateUsage, access, stripe }) as Partial<Override>
  return {
    customerId,
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    ...withoutNulls({ billingProfileId }),
    ...partials,
  }
}

export interface CustomerBilling {
  readonly override: BillingOverrideRow | null
  readonly profile: BillingProfileRow
  /** Where apps are expanded. */
  readonly app: AppRow | undefined
}

/** By which profile a customer is billed, what differs from it for them, and what applies. */
export function presentCustomerOverride({ override, profile, app }: CustomerBilling): CustomerOverride {
  return {
    ...(override === null ? {} : { customerOverride: presentOverride(override) }),
    baseBillingProfileId: profile.id,
    customerProfile: { ...documentsOf(profile, override ?? undefined), apps: presentApps(profile, app) },
  }
}
