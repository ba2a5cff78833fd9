import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client'
import type { Client } from '@temporalio/client'
import {
  customerKeyAttribute,
  invoiceStatusAttribute,
  planKeyAttribute,
} from '../workflows/search-attributes.ts'
import { workflowIds } from './ids.ts'

export interface SubscriptionStartRequest {
  readonly subscriptionId: string
  readonly customerKey: string
  readonly planKey: string
  /** Where the customer's test clock stands; null for real time. */
  readonly testNowMs: number | null
}

export interface InvoiceStartRequest {
  readonly invoiceId: string
  readonly customerKey: string
  readonly status: string
  readonly testNowMs: number | null
  /** When to look first; null: only when something happens. */
  readonly nextDueMs: number | null
}

export interface TestClockStartRequest {
  readonly testClockId: string
}

export interface InvoiceSignal {
  readonly eventId: string
  readonly type: string
}

type Queued<T> = T & { readonly taskQueue: string }

/** A workflow that is open already is the one we wanted (one workflow an id): false. */
async function unlessStarted(start: Promise<unknown>): Promise<boolean> {
  try {
    await start
    return true
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
    return false
  }
}

const clockSource = (testNowMs: number | null) =>
  testNowMs === null ? { kind: 'real' } : { kind: 'test', nowMs: testNowMs }

/**
 * Starts the subscription's workflow, once: a request that comes late does not begin it again after its end. `again` does,
 * for one whose row says that it goes on. Answers whether it was started.
 */
export async function startSubscription(
  client: Client,
  request: Queued<SubscriptionStartRequest>,
  again = false,
): Promise<boolean> {
  const start = client.workflow.start('subscription', {
    workflowId: workflowIds.subscription(request.subscriptionId),
    taskQueue: request.taskQueue,
    args: [
      {
        subscriptionId: request.subscriptionId,
        clock: clockSource(request.testNowMs),
        nextDueMs: 0,
        waitingFor: 'its start',
      },
    ],
    staticSummary: `${request.customerKey} on ${request.planKey}`,
    typedSearchAttributes: [
      { key: customerKeyAttribute, value: request.customerKey },
      { key: planKeyAttribute, value: request.planKey },
    ],
    workflowIdReusePolicy: again ? 'ALLOW_DUPLICATE' : 'REJECT_DUPLICATE',
  })
  return await unlessStarted(start)
}

function invoiceOptions(request: Queued<InvoiceStartRequest>) {
  return {
    workflowId: workflowIds.invoice(request.invoiceId),
    taskQueue: request.taskQueue,
    args: [
      {
        invoiceId: request.invoiceId,
        clock: clockSource(request.testNowMs),
        nextDueMs: request.nextDueMs,
        waitingFor: 'Stripe',
      },
    ],
    staticSummary: `Invoice of ${request.customerKey}`,
    typedSearchAttributes: [
      { key: customerKeyAttribute, value: request.customerKey },
      { key: invoiceStatusAttribute, value: request.status },
    ],
  }
}

/** Answers whether it was started: false where it runs. */
export async function startInvoice(client: Client, request: Queued<InvoiceStartRequest>): Promise<boolean> {
  return await unlessStarted(client.workflow.start('invoice', invoiceOptions(request)))
}

/** An invoice that was settled and is paid again, or later, gets a new run: the row guards what it may do. */
export async function signalInvoice(
  client: Client,
  request: Queued<InvoiceStartRequest>,
  signal: InvoiceSignal,
): Promise<void> {
  await client.workflow.signalWithStart('invoice', {
    ...invoiceOptions(request),
    signal: 'stripeEventReceived',
    signalArgs: [signal],
  })
}

export async function startTestClock(client: Client, request: Queued<TestClockStartRequest>): Promise<void> {
  const start = client.workflow.start('testClock', {
    workflowId: workflowIds.testClock(request.testClockId),
    taskQueue: request.taskQueue,
    args: [{ testClockId: request.testClockId, advancing: false }],
    staticSummary: 'Test clock',
  })
  await unlessStarted(start)
}
