import { WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client'
import type { Client } from '@temporalio/client'
import { ApplicationFailure } from '@temporalio/common'
import { DomainError, isErrorCode } from '../domain/errors.ts'
import { isGone } from './gone.ts'

/** A command waits this long for a worker: longer than a slow step, shorter than a caller's patience. */
const ANSWER_WITHIN_MS = 30_000

interface UpdateRequest {
  readonly workflowId: string
  readonly kind: 'subscriptionCommand' | 'invoiceCommand'
  readonly command: { readonly requestId: string }
}

/** Sends a command and waits until it has been carried out. The request id is the update id: a repeat gets the same answer. */
export async function sendUpdate(client: Client, request: UpdateRequest): Promise<void> {
  try {
    await client.connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, async () => {
      await client.workflow
        .getHandle(request.workflowId)
        .executeUpdate(request.kind, { args: [request.command], updateId: request.command.requestId })
    })
  } catch (error) {
    throw refusalOf(error)
  }
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
