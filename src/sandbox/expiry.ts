import type { Change } from './store.ts'
import type { IdempotencyRecord } from './records.ts'

const DAY_MS = 86_400_000

/** Keys are kept for a day [stripe docs: idempotent requests]; older ones are left behind at the next start. */
export function withoutExpired(changes: readonly Change[], nowMs: number): readonly Change[] {
  return changes.filter(([table, , record]) => {
    if (table !== 'idempotency' || record === null) return true
    return nowMs - (record as IdempotencyRecord).savedMs <= DAY_MS
  })
}
