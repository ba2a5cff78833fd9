import { beginAdvance, findTestClock } from '../../db/stores/test-clock-create.ts'
import type { TestClockRow } from '../../db/stores/test-clock-create.ts'
import { insertOutbox } from '../../db/stores/outbox.ts'
import { addDuration } from '../../domain/calendar.ts'
import { DomainError } from '../../domain/errors.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { startedLater } from './started-later.ts'

/** Each due instant on the way is acted on one by one: further is a loop that would not end for a person. */
const LONGEST_ADVANCE = 'P5Y'

/**
 * Sends a test clock on its way to an instant; it answers while the clock is still advancing. Errors: not_found,
 * clock_backwards, clock_busy, clock_too_far.
 */
export async function advanceTestClock(deps: ApiDeps, id: string, target: Date): Promise<TestClockRow> {
  const clock = found((await findTestClock(deps.db, id)) ?? null, 'test clock', id)
  if (clock.status === 'advancing') throw busy(clock)
  const frozen = clock.frozenTime
  if (target <= frozen) {
    const detail = `The clock stands at ${frozen.toISOString()}; ${target.toISOString()} is not after that.`
    throw new DomainError('clock_backwards', detail, { field: 'frozenTime' })
  }
  const furthest = addDuration(frozen.getTime(), LONGEST_ADVANCE, 'UTC')
  if (target.getTime() > furthest) {
    const detail = `A clock advances at most five years at once: to ${new Date(furthest).toISOString()} from here.`
    throw new DomainError('clock_too_far', detail, { field: 'frozenTime' })
  }
  // The target and the request to move are one transaction; the relay repeats the request if this process dies here.
  const advancing = await deps.db.transaction().execute(async (trx) => {
    const row = await beginAdvance(trx, id, target)
    if (row !== undefined) await insertOutbox(trx, { kind: 'start_test_clock', subjectId: id })
    return row
  })
  if (advancing === undefined) throw busy(clock)
  await startedLater(deps, deps.temporal.advanceTestClock(id))
  return advancing
}

function busy(clock: TestClockRow): DomainError {
  const going = clock.targetTime === null ? '' : ` to ${clock.targetTime.toISOString()}`
  return new DomainError('clock_busy', `The clock is advancing${going}; wait until it is ready.`)
}
