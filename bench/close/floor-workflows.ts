import { proxyActivities, sleep } from '@temporalio/workflow'

/** What the floor does where ours bills. */
export interface FloorActivities {
  readonly callStripe: (request: { readonly customer: string }) => Promise<void>
}

const { callStripe } = proxyActivities<FloorActivities>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '10 seconds',
})

/** A period in the shape of ours, with nothing of billing in it: sleep until it is due, one activity, sleep again. */
export async function floorPeriod(request: {
  readonly dueMs: number
  readonly customer: string
}): Promise<void> {
  await sleep(Math.max(1, request.dueMs - Date.now()))
  if (request.customer !== '') await callStripe({ customer: request.customer })
  await sleep('30 days')
}
