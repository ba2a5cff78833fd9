import { condition, continueAsNew, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow'
import { advance, poke } from './messages.ts'
import { pokeBeginsRun } from './patches.ts'
import { stepTestClock } from './proxies.ts'

export interface TestClockInput {
  readonly testClockId: string
  /** True when the run before had been asked to move and had not finished. */
  readonly advancing: boolean
}

/** A test clock stands still until it is asked to move, then goes from due instant to due instant up to its target. */
export async function testClock(input: TestClockInput): Promise<void> {
  let advancing = input.advancing
  setHandler(advance, () => {
    advancing = true
  })
  let poked = false
  setHandler(poke, () => {
    poked = true
  })
  for (;;) {
    await condition(() => advancing || poked)
    if (poked && pokeBeginsRun())
      await continueAsNew<typeof testClock>({ testClockId: input.testClockId, advancing })
    poked = false
    if (!advancing) continue
    advancing = false
    for (let done = false; !done;) {
      const step = await stepTestClock({ testClockId: input.testClockId })
      setCurrentDetails(step.summary)
      done = step.done
      if (workflowInfo().continueAsNewSuggested) {
        await continueAsNew<typeof testClock>({
          testClockId: input.testClockId,
          advancing: advancing || !done,
        })
      }
    }
  }
}
