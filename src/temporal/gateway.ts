import { Client, Connection } from '@temporalio/client'
import type { InvoiceCommand, SubscriptionCommand } from '../activities/contracts.ts'
import { sendUpdate } from './commands.ts'
import { listOpen, openAmong, poke, pokeOpen } from './care.ts'
import type { OpenWorkflows, WorkflowType } from './care.ts'
import { isGone } from './gone.ts'
import { workflowIds } from './ids.ts'
import { signalInvoice, startInvoice, startSubscription, startTestClock } from './start.ts'
import type {
  InvoiceStartRequest,
  InvoiceSignal,
  SubscriptionStartRequest,
  TestClockStartRequest,
} from './start.ts'

/** Everything the product asks of Temporal. Starting what runs already and signalling twice are no errors. */
export interface TemporalGateway {
  readonly startSubscription: (request: SubscriptionStartRequest) => Promise<void>
  readonly startInvoice: (request: InvoiceStartRequest) => Promise<void>
  readonly startTestClock: (request: TestClockStartRequest) => Promise<void>
  /** Starts the invoice's workflow if none is open, and tells it to look at Stripe. */
  readonly signalInvoice: (request: InvoiceStartRequest, signal: InvoiceSignal) => Promise<void>
  /**
   * Errors: DomainError with the code of the refusal; where it was not answered in time, command_pending (the workers are
   * behind) or service_unavailable (there are none, or no Temporal): it may still be carried out.
   */
  readonly updateSubscription: (id: string, command: SubscriptionCommand) => Promise<void>
  readonly updateInvoice: (id: string, command: InvoiceCommand) => Promise<void>
  /** Asks the clock's workflow to move to the target in its row; starts it when it is not running. */
  readonly advanceTestClock: (id: string) => Promise<void>
  /** Tells workflows of a test clock the time. Those that have ended are passed over. */
  readonly tick: (workflowId: string, nowMs: number) => Promise<void>
  /** Starts the workflow again, whatever became of an earlier run; false where it runs. */
  readonly restartSubscription: (request: SubscriptionStartRequest) => Promise<boolean>
  readonly restartInvoice: (request: InvoiceStartRequest) => Promise<boolean>
  /** Tells a workflow to look again; false when it is not running. */
  readonly poke: (workflowId: string) => Promise<boolean>
  /** Which of these workflows are open; one that began just now may be missing. */
  readonly openAmong: (workflowIds: readonly string[]) => Promise<ReadonlySet<string>>
  /** A page of the installation's open workflows. */
  readonly listOpen: (type: WorkflowType, after: string | null) => Promise<OpenWorkflows>
  /** Pokes a page of the open workflows whose run began before; answers which. */
  readonly pokeOpen: (page: PokePage) => Promise<OpenWorkflows>
  readonly checkHealth: () => Promise<{ readonly ok: boolean; readonly detail: string }>
  readonly close: () => Promise<void>
}

export interface PokePage {
  readonly startedBefore: Date
  readonly limit: number
  /** The `next` of the page before; null: the first. */
  readonly after: string | null
}

export interface TemporalOptions {
  readonly address: string
  readonly namespace: string
  readonly taskQueue: string
}

/** Connects on first use: an API that starts before Temporal is up is not ready, and becomes so by itself. */
export async function connectTemporal(options: TemporalOptions): Promise<TemporalGateway> {
  const connection = Connection.lazy({ address: options.address })
  return temporalGateway(new Client({ connection, namespace: options.namespace }), {
    taskQueue: options.taskQueue,
    close: async () => await connection.close(),
  })
}

interface GatewayOptions {
  /** Where the workers of this installation poll. */
  readonly taskQueue: string
  /** How long a command waits for its answer, in milliseconds (30 000). */
  readonly answerWithinMs?: number
  readonly close?: () => Promise<void>
}

/** The gateway over a client that exists already, e.g. the worker's. */
export function temporalGateway(client: Client, options: GatewayOptions): TemporalGateway {
  const { taskQueue, answerWithinMs } = options
  return {
    startSubscription: async (request) => void (await startSubscription(client, { ...request, taskQueue })),
    startInvoice: async (request) => void (await startInvoice(client, { ...request, taskQueue })),
    startTestClock: async (request) => await startTestClock(client, { ...request, taskQueue }),
    signalInvoice: async (request, signal) => await signalInvoice(client, { ...request, taskQueue }, signal),
    updateSubscription: async (id, command) =>
      await sendUpdate(client, {
        workflowId: workflowIds.subscription(id),
        command,
        kind: 'subscriptionCommand',
        taskQueue,
        answerWithinMs,
      }),
    updateInvoice: async (id, command) =>
      await sendUpdate(client, {
        workflowId: workflowIds.invoice(id),
        command,
        kind: 'invoiceCommand',
        taskQueue,
        answerWithinMs,
      }),
    advanceTestClock: async (id) => {
      await client.workflow.signalWithStart('testClock', {
        workflowId: workflowIds.testClock(id),
        taskQueue,
        args: [{ testClockId: id, advancing: false }],
        signal: 'advance',
        staticSummary: 'Test clock',
      })
    },
    tick: async (workflowId, nowMs) => await tick(client, workflowId, nowMs),
    restartSubscription: async (request) => await startSubscription(client, { ...request, taskQueue }, true),
    restartInvoice: async (request) => await startInvoice(client, { ...request, taskQueue }),
    poke: async (workflowId) => await poke(client, workflowId),
    openAmong: async (ids) => await openAmong(client, ids),
    listOpen: async (type, after) => await listOpen(client, { type, taskQueue, after }),
    pokeOpen: async (page) => await pokeOpen(client, { taskQueue, ...page }),
    checkHealth: async () => await checkHealth(client),
    close: options.close ?? (async () => {}),
  }
}

async function tick(client: Client, workflowId: string, nowMs: number): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).signal('tick', { nowMs })
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

async function checkHealth(client: Client): Promise<{ ok: boolean; detail: string }> {
  try {
    await client.connection.withDeadline(
      Date.now() + 3000,
      async () => await client.workflowService.getSystemInfo({}),
    )
    return { ok: true, detail: 'reachable' }
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) }
  }
}
