import { proxyLocalActivities, sleep, upsertSearchAttributes } from '@temporalio/workflow'
import { billingStatusAttribute, nextBillingTimeAttribute } from '../../src/workflows/search-attributes.ts'

/** What the floor does where ours bills. */
export interface FloorActivities {
  readonly callStripe: (request: { readonly customer: string }) => Promise<void>
}

const { callStripe } = proxyLocalActivities<FloorActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { maximumAttempts: 1 },
})

const MONTH_MS = 30 * 24 * 60 * 60 * 1000

/**
 * A period in the shape of ours, with nothing of billing in it: sleep until it is due, one local activity, say when the next is
 * due, sleep again.
 */
export async function floorPeriod(request: {
  readonly dueMs: number
  readonly customer: string
}): Promise<void> {
  await sleep(Math.max(1, request.dueMs - Date.now()))
  if (request.customer !== '') await callStripe({ customer: request.customer })
  upsertSearchAttributes([
    { key: billingStatusAttribute, value: 'active' },
    { key: nextBillingTimeAttribute, value: new Date(request.dueMs + MONTH_MS) },
  ])
  await sleep(MONTH_MS)
}
