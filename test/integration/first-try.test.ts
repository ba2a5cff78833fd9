import { afterAll, beforeAll, expect, test } from 'vitest'
import { aliveForADay, askedAboutInvoices, invoicesAtStripe } from '../support/asked-of-stripe.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { steerSandbox } from '../support/stripe-client.ts'

let installation: Installation
let scenario: Scenario
beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation)
  await addTokenPlan(installation)
  await aliveForADay(installation.database.db)
})
afterAll(async () => await installation.close())

/** A customer in real time is billed for the start; answers what Stripe was asked until they had paid, once. */
async function billed(key: string): Promise<readonly string[]> {
  const { call, sandboxUrl } = installation
  const { id: customerId, stripeCustomerId } = await addCustomer(installation, scenario, { key })
  await call('POST', '/api/v1/subscriptions', { customerId, plan: { key: 'tokens_monthly' } })
  const invoices = await waitFor(
    async () => await invoicesAtStripe(sandboxUrl, stripeCustomerId),
    ([one]) => one?.status === 'paid',
  )
  expect(invoices).toHaveLength(1)
  return await askedAboutInvoices(sandboxUrl, { stripeCustomerId })
}

const inject = async (kind: string, path: string): Promise<void> =>
  await steerSandbox(installation.sandboxUrl, {
    method: 'POST',
    path: '/faults',
    body: { kind, method: 'POST', path },
  })

test('rule 31: a close in due time asks Stripe five times', async () => {
  expect(await billed('five')).toEqual([
    'POST /v1/invoices',
    'POST /v1/invoices/{id}/add_lines',
    'POST /v1/invoices/{id}',
    'POST /v1/invoices/{id}/finalize',
    'POST /v1/invoices/{id}/pay',
  ])
})

test('rule 31: a first try whose reply was lost is answered by its key', async () => {
  await inject('reset_after', '/v1/invoices$')
  expect((await billed('reset')).slice(0, 3)).toEqual([
    'POST /v1/invoices',
    // The client's own, over a connection that was closed under it.
    'POST /v1/invoices',
    'GET /v1/invoices/{id}',
  ])
})

test.each(['error_after', 'truncate_after', 'lock_timeout'])(
  'rule 31: after a first try that ended in a %s the next one looks',
  async (kind) => {
    await inject(kind, '/v1/invoices$')
    expect((await billed(kind)).slice(0, 2)).toEqual(['POST /v1/invoices', 'GET /v1/invoices'])
  },
)
