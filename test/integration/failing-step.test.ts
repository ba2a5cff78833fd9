import { afterAll, beforeAll, expect, test } from 'vitest'
import { invoicesOf, subscribe } from '../support/billing-paths.ts'
import type { Walker } from '../support/billing-paths.ts'
import { startInstallation } from '../support/installation.ts'
import { addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'

let installation: Awaited<ReturnType<typeof startInstallation>>
let walker: Walker

beforeAll(async () => {
  installation = await startInstallation({ worker: null })
  walker = { installation, scenario: await startScenario(installation) }
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

test('a step that keeps failing shows in Temporal why, writes no history meanwhile, and goes on when it is mended', async () => {
  const advanceSubscription = async (): Promise<never> =>
    await Promise.reject(new Error('the plan has no meter'))
  const broken = await installation.startWorker({ activities: { advanceSubscription } })
  const { customerId, subscriptionId } = await subscribe(walker, { key: 'failing' })
  const handle = installation.client.workflow.getHandle(`subscription/${subscriptionId}`)
  const triedMoreThan = async (times: number) =>
    await waitFor(
      async () => (await handle.describe()).raw,
      ({ pendingActivities }) => (pendingActivities?.[0]?.attempt ?? 0) > times,
    )
  const { pendingActivities, workflowExecutionInfo: first } = await triedMoreThan(1)
  expect(pendingActivities).toMatchObject([{ lastFailure: { message: 'the plan has no meter' } }])
  const { workflowExecutionInfo: later } = await triedMoreThan(2)
  expect(later?.historyLength).toEqual(first?.historyLength)
  await broken.stop()

  await installation.startWorker()
  const invoices = await waitFor(
    async () => await invoicesOf(walker, customerId),
    ([invoice]) => invoice?.status === 'paid',
  )
  expect(invoices).toHaveLength(1)
})
