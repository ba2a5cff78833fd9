import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
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
export const { stepTestClock } = proxyActivities<TestClockActivities>(steps)

/**
 * An invoice's steps are local activities: each is a few calls, safe to repeat, and costs one event instead of six, so a
 * whole dunning fits into 30. A worker that dies takes the workflow task along, which runs again elsewhere after its
 * timeout of ten seconds. A failure that lasts is waited for with a timer, which the Temporal UI shows.
 */
export const { advanceInvoice } = proxyLocalActivities<InvoiceActivities>({
  startToCloseTimeout: '1 minute',
  localRetryThreshold: '5 seconds',
  retry: steps.retry,
})
