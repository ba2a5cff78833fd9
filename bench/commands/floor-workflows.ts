import { condition, defineUpdate, proxyActivities, setHandler } from '@temporalio/workflow'

/** The step of the floor. */
export interface NothingActivities {
  readonly doNothing: () => Promise<void>
}

const { doNothing } = proxyActivities<NothingActivities>({ startToCloseTimeout: '1 minute' })
const update = defineUpdate<void, [{ readonly withActivity: boolean }]>('update')

/** A workflow that waits for ever and answers updates: at once, or when an activity has done nothing. */
export async function emptyWorkflow(): Promise<void> {
  setHandler(update, async ({ withActivity }) => {
    if (withActivity) await doNothing()
  })
  await condition(() => false)
}
