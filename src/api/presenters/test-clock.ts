import type { TestClockRow } from '../../db/stores/test-clock-create.ts'
import type { TestClock } from '../schemas/test-clocks.ts'
import { instant, withoutNulls } from './without-nulls.ts'

/** A test clock; its target only while it is on the way there. */
export function presentTestClock(row: TestClockRow): TestClock {
  return withoutNulls({
    id: row.id,
    name: row.name,
    frozenTime: instant(row.frozenTime),
    targetTime: row.status === 'ready' ? null : instant(row.targetTime),
    // The column has a check for these.
    status: row.status as TestClock['status'],
    statusReason: row.statusReason,
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    deletedAt: instant(row.deletedAt),
    temporalWorkflowId: `test-clock/${row.id}`,
  })
}
