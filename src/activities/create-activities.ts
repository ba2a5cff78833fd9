import type { InvoiceActivities, SubscriptionActivities, TestClockActivities } from './contracts.ts'
import type { ActivityDeps } from './deps.ts'
import { invoiceActivities } from './invoice.ts'
import { subscriptionActivities } from './subscription.ts'
import { testClockActivities } from './test-clock.ts'

export type Activities = SubscriptionActivities & InvoiceActivities & TestClockActivities

/** Everything a worker can do, over pools and clients that are made once a process. */
export function createActivities(deps: ActivityDeps): Activities {
  return { ...subscriptionActivities(deps), ...invoiceActivities(deps), ...testClockActivities(deps) }
}
