import { ApplicationFailure, condition } from '@temporalio/workflow'
import type { Refusal } from '../activities/contracts.ts'

interface Pending<C> {
  readonly command: C
  outcome: { readonly refused: Refusal | null } | null
}

/** Commands that were received and not yet acted on: the handler records, the loop acts and reports back. */
export interface CommandQueue<C> {
  /** For the update handler: waits until the loop has carried the command out; throws the refusal. */
  submit(command: C): Promise<void>
  next(): C | undefined
  complete(command: C, refused: Refusal | null): void
  isEmpty(): boolean
}

export function createCommandQueue<C>(): CommandQueue<C> {
  const pending: Pending<C>[] = []
  return {
    async submit(command) {
      const entry: Pending<C> = { command, outcome: null }
      pending.push(entry)
      await condition(() => entry.outcome !== null)
      const refused = entry.outcome?.refused
      if (refused) throw ApplicationFailure.nonRetryable(refused.message, refused.code)
    },
    next: () => pending[0]?.command,
    complete(command, refused) {
      const index = pending.findIndex((entry) => entry.command === command)
      const [entry] = pending.splice(index, 1)
      if (entry) entry.outcome = { refused }
    },
    isEmpty: () => pending.length === 0,
  }
}
