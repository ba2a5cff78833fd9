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
/** gRPC's FAILED_PRECONDITION: the workflow task that took the update along did not complete. */
const NOT_READY = 9

interface UpdateRequest {
  readonly workflowId: string
  readonly kind: 'subscriptionCommand' | 'invoiceCommand'
  readonly command: { readonly requestId: string }
}

/** Sends a command and waits until it has been carried out. The request id is the update id: a repeat gets the same answer. */
export async function sendUpdate(client: Client, request: UpdateRequest): Promise<void> {
  try {
    await client.connection.withDeadline(
      Date.now() + ANSWER_WITHIN_MS,
      async () => await untilTaken(async () => await execute(client, request)),
    )
  } catch (error) {
    throw refusalOf(error)
  }
}

async function execute(client: Client, { workflowId, kind, command }: UpdateRequest): Promise<void> {
  const handle = client.workflow.getHandle(workflowId)
  await handle.executeUpdate(kind, { args: [command], updateId: command.requestId })
}

/**
 * A signal that arrives while a workflow completes makes the server run its last task again, and drop the update that
 * was answered in it. Asking again is safe: a step knows the command by its request id.
 */
async function untilTaken(send: () => Promise<void>): Promise<void> {
  const until = Date.now() + ANSWER_WITHIN_MS
  for (;;) {
    try {
      return await send()
    } catch (error) {
      const isDropped = codeOf(error) === NOT_READY
      if (!isDropped || Date.now() > until) throw error
      await delay(ASK_AGAIN_MS)
    }
  }
}

function codeOf(error: unknown): number | null {
  return error instanceof ServiceError && isGrpcServiceError(error.cause) ? error.cause.code : null
}

function refusalOf(error: unknown): unknown {
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    const { type, message } = error.cause
    if (typeof type === 'string' && isErrorCode(type)) return new DomainError(type, message ?? type)
  }
  if (isGone(error)) return new DomainError('action_not_available', 'nothing is running for it any more')
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    return new DomainError(
      'service_unavailable',
      'no worker answered in time; the command may still be carried out, repeat it with the same Idempotency-Key',
    )
  }
  return error
}
