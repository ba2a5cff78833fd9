import type { CustomerRow } from '../../db/stores/customers.ts'
import type { Customer } from '../schemas/customers.ts'
import { instant, withoutNulls } from './without-nulls.ts'

/** A customer in the contract's words, with our time zone and test clock beside them. */
export function presentCustomer(row: CustomerRow): Customer {
  const {
    key,
    description,
    metadata,
    primaryEmail,
    currency,
    billingAddress,
    testClockId,
    currentSubscriptionId,
  } = row
  return {
    id: row.id,
    name: row.name,
    usageAttribution: { subjectKeys: row.subjectKeys },
    timezone: row.timezone,
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    ...withoutNulls({
      key,
      description,
      metadata,
      primaryEmail,
      currency,
      billingAddress,
      testClockId,
      currentSubscriptionId,
    }),
    ...withoutNulls({ deletedAt: instant(row.deletedAt) }),
  }
}
