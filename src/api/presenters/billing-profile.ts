import type { AppRow } from '../../db/stores/apps.ts'
import type { BillingOverrideRow, BillingProfileRow } from '../../db/stores/billing-profiles.ts'
import type {
  BillingProfile,
  BillingWorkflow,
  CustomerOverride,
  Dunning,
  LateUsage,
  Supplier,
} from '../schemas/billing-profiles.ts'
import { presentApp } from './app.ts'
import { instant, withoutNulls } from './without-nulls.ts'

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
const documentsOf = (row: BillingProfileRow) => ({
  supplier: row.supplier as unknown as Supplier,
  workflow: row.workflow as unknown as BillingWorkflow,
})

/** A billing profile in the contract's words, with our dunning and late usage beside them; `app` where it is expanded. */
export function presentBillingProfile(row: BillingProfileRow, app?: AppRow): BillingProfile {
  return {
    id: row.id,
    name: row.name,
    ...documentsOf(row),
    apps: presentApps(row, app),
    default: row.isDefault,
    dunning: row.dunning as unknown as Dunning,
    lateUsage: row.lateUsage as unknown as LateUsage,
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    ...withoutNulls({
      description: row.description,
      metadata: row.metadata,
      deletedAt: instant(row.deletedAt),
    }),
  }
}

function presentOverride(row: BillingOverrideRow): NonNullable<CustomerOverride['customerOverride']> {
  const { billingProfileId, customerId } = row
  return {
    customerId,
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    ...withoutNulls({ billingProfileId }),
  }
}

export interface CustomerBilling {
  readonly override: BillingOverrideRow | null
  readonly profile: BillingProfileRow
  /** Where apps are expanded. */
  readonly app: AppRow | undefined
}

/** By which profile a customer is billed, and whether it was pinned. */
export function presentCustomerOverride({ override, profile, app }: CustomerBilling): CustomerOverride {
  return {
    ...(override === null ? {} : { customerOverride: presentOverride(override) }),
    baseBillingProfileId: profile.id,
    customerProfile: { ...documentsOf(profile), apps: presentApps(profile, app) },
  }
}
