import { constants } from 'node:os'
import { stopRequested } from '../../src/local/shutdown.ts'

const toUndo = new Set<() => Promise<void>>()

/** Undone at the end of a run, by whoever calls what is answered, or by the signal that ends it before; once. */
export function undoneAtLast(undo: () => Promise<void>): () => Promise<void> {
  let begun: Promise<void> | undefined
  const once = async (): Promise<void> => {
    begun ??= undo()
    await begun
    toUndo.delete(once)
  }
  toUndo.add(once)
  return once
}

/**
 * From now on a signal ends the run and leaves nothing behind. Without this it would not even end it: Temporal's SDK, once it
 * runs in this process, takes signals for its workers alone.
 */
export async function endOnSignal(): Promise<void> {
  const reason = await stopRequested()
  // What is under way fails now that it loses what it runs on.
  for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, () => {})
  for (const undo of [...toUndo].toReversed()) await undo().catch((error: unknown) => console.error(error))
  process.exit(reason === 'disconnect' ? 1 : 128 + constants.signals[reason])
}
