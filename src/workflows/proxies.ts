import { proxyActivities } from '@temporalio/workflow'
import type {
  InvoiceActivities,
  SubscriptionActivities,
  TestClockActivities,
} from '../activities/contracts.ts'

/**
 * A dead worker is noticed by its missing heartbeat, not by the longest a step may take. Retries go on for ever with at
 * most a minute between them: a step that cannot succeed says so on its row instead of failing (failures.ts).
 */
const steps = {
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
} as const

export const { advanceSubscription } = proxyActivities<SubscriptionActivities>(steps)
export const { advanceInvoice } = proxyActivities<InvoiceActivities>(steps)
export const { stepTestClock } = proxyActivities<TestClockActivities>(steps)
