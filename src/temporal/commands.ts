import { setTimeout as delay } from 'node:timers/promises'
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client'
import type { Client } from '@temporalio/client'
import { ApplicationFailure } from '@temporalio/common'
import { DomainError, isErrorCode } from '../domain/errors.ts'
import { isGone } from './gone.ts'

/** A command waits this long for a worker: longer than a slow step, shorter than a caller's patience. */
const ANSWER_WITHIN_MS = 30_000
const ASK_AGAIN_MS = 50
const POLLERS_WITHIN_MS = 3_000
/** gRPC's FAILED_PRECONDITION: the workflow task that took the update along did not complete. */
const NOT_READY = 9
/** What gRPC says, for long, where Temporal cannot be reached or does not get to it: RESOURCE_EXHAUSTED, ABORTED, UNAVAILABLE. */
const unanswered: ReadonlySet<number> = new Set([8, NOT_READY, 10, 14])
/** Temporal's refusal of an update that a workflow task took along and completed without: no workflow has seen it. */
const LEFT_OUT = 'UnprocessedUpdate'

interface UpdateRequest {
  /** Where the workers poll. */
  readonly taskQueue: string
  readonly answerWithinMs?: number | undefined
  readonly workflowId: string
  readonly kind: 'subscriptionCommand' | 'invoiceCommand'
  readonly command: { readonly requestId: string }
}

/**
 * Sends a command and waits until it has been carried out. The request id is the update id: a repeat gets the same answer.
 * Errors: DomainError with the code of the refusal; `command_pending` or `service_unavailable` where nobody answered in time.
 */
export async function sendUpdate(client: Client, request: UpdateRequest): Promise<void> {
  const until = Date.now() + (request.answerWithinMs ?? ANSWER_WITHIN_MS)
  try {
    await client.connection.withDeadline(
      until,
      async () => await untilTaken(until, async () => await execute(client, request)),
    )
  } catch (error) {
    throw isUnanswered(error) ? await whyUnanswered(client, request.taskQueue) : refusalOf(error)
  }
}

async function execute(client: Client, { workflowId, kind, command }: UpdateRequest): Promise<void> {
  const handle = client.workflow.getHandle(workflowId)
  await handle.executeUpdate(kind, { args: [command], updateId: command.requestId })
}

/**
 * A signal that arrives while a workflow completes makes the server run its last task again, and drop the update that
 * was answered in it. A worker that was stopped for longer than a workflow task may last, amid a step, can leave one out.
 * Asking again is safe: a step knows the command by its request id.
 */
async function untilTaken(until: number, send: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await send()
    } catch (error) {
      const isDropped = codeOf(error) === NOT_READY || isLeftOut(error)
      if (!isDropped || Date.now() > until) throw error
      await delay(ASK_AGAIN_MS)
    }
  }
}

function codeOf(error: unknown): number | null {
  return error instanceof ServiceError && isGrpcServiceError(error.cause) ? error.cause.code : null
}

function failureOf(error: unknown): ApplicationFailure | null {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined
  return cause instanceof ApplicationFailure ? cause : null
}

const isLeftOut = (error: unknown): boolean => failureOf(error)?.type === LEFT_OUT

function refusalOf(error: unknown): unknown {
  const { type, message } = failureOf(error) ?? {}
  if (typeof type === 'string' && isErrorCode(type)) return new DomainError(type, message ?? type)
  if (isGone(error)) return new DomainError('action_not_available', 'nothing is running for it any more')
  return error
}

function isUnanswered(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isLeftOut(error)) return true
  const code = codeOf(error)
  return code !== null && unanswered.has(code)
}

const STILL = 'The command may still be carried out: repeat it with the same Idempotency-Key.'

/** Workers that are behind are no fault, and the same request gets through; where there are none, somebody has to act. */
async function whyUnanswered(client: Client, taskQueue: string): Promise<DomainError> {
  try {
    return (await hasWorkers(client, taskQueue))
      ? new DomainError('command_pending', `The workers did not come to it in time. ${STILL}`)
      : new DomainError('service_unavailable', `No worker is running. ${STILL}`)
  } catch {
    return new DomainError('service_unavailable', `Temporal cannot be reached. ${STILL}`)
  }
}

/** Whether any has asked for work in the last minutes. */
async function hasWorkers(client: Client, taskQueue: string): Promise<boolean> {
  const { pollers } = await client.connection.withDeadline(
    Date.now() + POLLERS_WITHIN_MS,
    async () =>
      await client.workflowService.describeTaskQueue({
        namespace: client.options.namespace,
        taskQueue: { name: taskQueue },
      }),
  )
  return (pollers ?? []).length > 0
}
