import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { payByPage } from '../support/billing-paths.ts'
import type { Walker } from '../support/billing-paths.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'

let walker: Walker<Installation>
/** Other tests share the server. */
const run = randomUUID().slice(0, 8)

beforeAll(async () => {
  const installation = await startInstallation()
  walker = { installation, scenario: await startScenario(installation) }
  await addTokenPlan(installation)
})
afterAll(async () => {
  await walker.installation.close()
})

/** Workflow ids that an operator's search in the Temporal UI finds. */
async function search(query: string): Promise<readonly string[]> {
  const found: string[] = []
  for await (const { workflowId } of walker.installation.client.workflow.list({ query }))
    found.push(workflowId)
  return found
}

/** The server indexes a moment after the fact. */
const searchUntil = async (query: string, count: number): Promise<readonly string[]> =>
  await waitFor(
    async () => await search(query),
    (ids) => ids.length === count,
  )

test('workflows are found by customer, plan and status, under readable ids', async () => {
  const { installation, scenario } = walker
  const key = `declined_${run}`
  const customer = await addCustomer(installation, scenario, { key, card: 'pm_card_chargeCustomerFail' })
  const subscription = await installation.call<{ id: string; temporalWorkflowId: string }>(
    'POST',
    '/api/v1/subscriptions',
    { customerId: customer.id, plan: { key: 'tokens_monthly' } },
  )
  expect(subscription.temporalWorkflowId).toBe(`subscription/${subscription.id}`)
  const ids = await searchUntil(`CustomerKey = '${key}'`, 2)
  const invoiceId = ids.find((id) => id.startsWith('invoice/'))
  expect(ids).toEqual(expect.arrayContaining([subscription.temporalWorkflowId, invoiceId]))
  const ofCustomer = `CustomerKey = '${key}' AND`
  expect(await searchUntil(`${ofCustomer} InvoiceStatus = 'issued'`, 1)).toEqual([invoiceId])
  expect(await searchUntil(`${ofCustomer} PlanKey = 'tokens_monthly'`, 1)).toEqual([
    subscription.temporalWorkflowId,
  ])
  const soon = new Date(Date.now() + 40 * 86_400_000).toISOString()
  const next = `BillingStatus = 'active' AND NextBillingTime < '${soon}'`
  expect(await searchUntil(`${ofCustomer} ${next}`, 1)).toEqual([subscription.temporalWorkflowId])
  expect(await search(`${ofCustomer} InvoiceStatus = 'paid'`)).toEqual([])
})

test('what a workflow is and waits for is written for people', async () => {
  const { client } = walker.installation
  const [id = ''] = await searchUntil(`CustomerKey = 'declined_${run}' AND PlanKey = 'tokens_monthly'`, 1)
  const handle = client.workflow.getHandle(id)
  expect(await (await handle.describe()).staticSummary()).toBe(`declined_${run} on tokens_monthly`)
  const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata')
  expect(metadata.currentDetails).toMatch(/^active\. Billed through .*; waits for the closing at 20/)
})

test('a settled invoice is found as paid', async () => {
  const invoiceId = await payByPage(walker, `mailed_${run}`)
  expect(await searchUntil(`CustomerKey = 'mailed_${run}' AND InvoiceStatus = 'paid'`, 1)).toEqual([
    `invoice/${invoiceId}`,
  ])
})
