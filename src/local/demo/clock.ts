import { setTimeout as delay } from 'node:timers/promises'
import { CliProblem } from '../../cli/problem.ts'
import type { Api } from '../../cli/api-client.ts'

interface TestClock {
  readonly id: string
  readonly frozenTime: string
  readonly status: 'ready' | 'advancing' | 'internal_failure'
  readonly statusReason?: string
}

const advanceTimeoutMs = 120_000

/** Moves the clock and waits until everything that became due by then has happened. */
export async function advanceClock(api: Api, id: string, toMs: number): Promise<void> {
  await api.post(`/api/v1/test-clocks/${id}/advance`, { frozenTime: new Date(toMs).toISOString() })
  const deadline = Date.now() + advanceTimeoutMs
  for (;;) {
    const clock = await api.get<TestClock>(`/api/v1/test-clocks/${id}`)
    if (clock.status === 'ready') return
    if (clock.status === 'internal_failure') {
      throw new CliProblem({
        what: 'the test clock stopped',
        why: clock.statusReason ?? 'no reason was recorded',
        next: `look at the workflow test-clock/${id} in the Temporal UI`,
      })
    }
    if (Date.now() > deadline) {
      throw new CliProblem({
        what: `the test clock is not ready after ${advanceTimeoutMs / 1000} s`,
        why: `it stands at ${clock.frozenTime} on its way to ${new Date(toMs).toISOString()}`,
        next: 'look at the worker log (.perennial/logs/worker.log) and the pending activities in the Temporal UI',
      })
    }
    await delay(100)
  }
}
