import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
import type {
  InvoiceActivities,
  SubscriptionActivities,
  SubscriptionStep,
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

const atServer = proxyActivities<SubscriptionActivities>(steps)
const once = { maximumAttempts: 1 } as const
const inTask = {
  /**
   * Tried once, for as long as one request that Stripe does not answer and what comes before it. A step that takes longer
   * than eight seconds prolongs its workflow task, which hears of commands meanwhile.
   */
  billing: proxyLocalActivities<SubscriptionActivities>({ startToCloseTimeout: '20 seconds', retry: once }),
  /** A few statements: what takes longer waits for a row, or its worker stood still, and leaves the task without delay. */
  command: proxyLocalActivities<SubscriptionActivities>({ startToCloseTimeout: '3 seconds', retry: once }),
} as const

/** Where a step is run: by an activity of the server, or by a local one as boundaries are billed or commands carried out. */
export type StepPlace = 'server' | keyof typeof inTask

type AdvanceInput = Parameters<SubscriptionActivities['advanceSubscription']>[0]

/**
 * A step of a subscription. What is due is billed by a local activity, and a command that needs rows only is carried out by
 * one: one workflow task instead of two and an activity. Not so a command that may need Stripe: who asked waits for it, and a
 * worker that stands still would take it along with its task.
 *
 * What fails or takes too long goes on as an activity: its retries write no history, however long they last, and the
 * Temporal UI shows what is in the way. The first try may be under way still, as that of a worker that was given up may be.
 */
export function advanceSubscription(input: AdvanceInput, place: StepPlace): Promise<SubscriptionStep> {
  const asActivity = (): Promise<SubscriptionStep> => atServer.advanceSubscription(input)
  return place === 'server' ? asActivity() : inTask[place].advanceSubscription(input).catch(asActivity)
}
