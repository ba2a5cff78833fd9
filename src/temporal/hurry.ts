import type { Client } from '@temporalio/client'
import { workflowIds } from './ids.ts'
import { isGone } from './gone.ts'

/**
 * A step of the invoice's workflow that waits to be tried again is tried now. Nothing to do where none waits, or where the
 * server is too old to be asked: the step tries again by itself.
 */
export async function hurryInvoice(client: Client, invoiceId: string): Promise<void> {
  try {
    await client.workflowService.resetActivity({
      namespace: client.options.namespace,
      execution: { workflowId: workflowIds.invoice(invoiceId) },
      identity: client.options.identity,
      matchAll: true,
    })
  } catch (error) {
    if (!isGone(error) && !isOptional(error)) throw error
  }
}

/** gRPC: not found, unimplemented, failed precondition. */
const optional: ReadonlySet<unknown> = new Set([5, 9, 12])

function isOptional(error: unknown): boolean {
  return error instanceof Error && 'code' in error && optional.has(error.code)
}
