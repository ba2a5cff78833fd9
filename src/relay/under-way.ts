import type { OutboxRow } from '../db/stores/outbox.ts'
import type { RelayDeps } from './relay.ts'

const byRelay = new WeakMap<RelayDeps, Map<string, Promise<void>>>()

/**
 * Begins a delivery of a row, or joins the one that this relay began before and nobody waits for any more: a try that is
 * long is heard by the next, and not done twice at once.
 */
export async function beginOrJoin(
  deps: RelayDeps,
  { id }: Pick<OutboxRow, 'id'>,
  begin: () => Promise<void>,
): Promise<void> {
  const underWay = byRelay.get(deps) ?? new Map<string, Promise<void>>()
  byRelay.set(deps, underWay)
  const before = underWay.get(id)
  if (before !== undefined) return await before
  const work = begin()
  const forget = (): void => void underWay.delete(id)
  underWay.set(id, work)
  work.then(forget, forget)
  await work
}
