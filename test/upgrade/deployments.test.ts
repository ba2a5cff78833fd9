import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deploymentOptions } from '../../src/temporal/worker-version.ts'
import { billedCustomers } from '../support/billed.ts'
import type { BilledCustomer } from '../support/billed.ts'
import { begun } from '../support/billing-paths.ts'
import { startInstallation } from '../support/installation.ts'
import { addTokenPlan, advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { bundleNextVersion } from './changed-bundle.ts'

/** Workers of two versions side by side, which Temporal tells apart by their build ids. */
const deployment = `perennial-${randomUUID()}`
const program = fileURLToPath(new URL('../../bin/perennial.mjs', import.meta.url))
let installation: Awaited<ReturnType<typeof startInstallation>>
let scenario: Scenario
let at: ReturnType<typeof billedCustomers>
let nextBundle = ''
const noted = new Set<string>()

beforeAll(async () => {
  nextBundle = await bundleNextVersion('patched')
  installation = await startInstallation({ worker: null })
  scenario = await startScenario(installation, {
    dunning: { retries: ['P3D', 'P7D'], end: 'leave_overdue', grace: 'P7D' },
  })
  await addTokenPlan(installation)
  at = billedCustomers(installation, scenario)
})
afterAll(async () => {
  await installation.close()
})

/** As an operator does it with `temporal worker deployment`; a version is known once its worker has polled. */
async function direct(buildId: string, rampPercentage?: number): Promise<void> {
  const { workflowService, options } = installation.client
  const version = { namespace: options.namespace, deploymentName: deployment, buildId, identity: 'test' }
  await waitFor(
    async () =>
      await (
        rampPercentage === undefined
          ? workflowService.setWorkerDeploymentCurrentVersion(version)
          : workflowService.setWorkerDeploymentRampingVersion({ ...version, percentage: rampPercentage })
      ).then(
        () => 'done',
        (error: unknown) => String(error),
      ),
    (outcome) => outcome === 'done',
  )
}

const subscriptionOf = async ({ customerId }: BilledCustomer): Promise<string> => {
  const path = `/api/v1/customers/${customerId}/subscriptions`
  const { items } = await installation.call<{ items: { id: string }[] }>('GET', path)
  return items[0]?.id ?? ''
}

async function subscribed(key: string, card = 'pm_card_visa'): Promise<BilledCustomer & { id: string }> {
  const billed = await at.newCustomer({ key, card })
  await at.subscribe(billed)
  await at.untilInvoice(billed, ({ statusDetails: { extendedStatus } }) =>
    ['paid', 'issued.payment_failed'].includes(extendedStatus),
  )
  return { ...billed, id: await subscriptionOf(billed) }
}

/** The version that a workflow's newest step ran on, and the run it is in. */
async function placeOf(workflowId: string) {
  const { raw, runId } = await installation.client.workflow.getHandle(workflowId).describe()
  const { versioningInfo } = raw.workflowExecutionInfo ?? {}
  return { buildId: versioningInfo?.deploymentVersion?.buildId, behavior: versioningInfo?.behavior, runId }
}
const AUTO_UPGRADE = 2

/** Once its first step is done: until then it is on no version. Begun anew: in another run than before. */
const placed = async (workflowId: string, before?: string) =>
  await waitFor(
    async () => await placeOf(workflowId),
    ({ buildId, runId }) => typeof buildId === 'string' && runId !== before,
  )

const untilNoted = async (...ids: readonly string[]): Promise<unknown> =>
  await waitFor(
    async () => await Promise.resolve(ids.filter((id) => !noted.has(id))),
    (missing) => missing.length === 0,
  )

test('a ramp takes what is new, the current version all the rest, and a poke moves what sleeps to it', async () => {
  const first = await installation.startWorker({
    deployment: deploymentOptions({ deployment, buildId: '1' }),
  })
  await direct('1')
  const sleeper = await subscribed('sleeper')
  const unpaid = await subscribed('unpaid', 'pm_card_chargeCustomerFail')
  const [{ id: unpaidInvoice } = { id: '' }] = await at.invoices(unpaid)
  await begun({ installation, scenario }, unpaidInvoice)
  const sleeping = [
    `subscription/${sleeper.id}`,
    `subscription/${unpaid.id}`,
    `invoice/${unpaidInvoice}`,
    `test-clock/${sleeper.clockId}`,
  ]
  const before = await Promise.all(sleeping.map(async (workflowId) => await placed(workflowId)))
  expect(before.map(({ buildId }) => buildId)).toEqual(sleeping.map(() => '1'))
  expect(before.map(({ behavior }) => behavior)).toEqual(sleeping.map(() => AUTO_UPGRADE))

  await installation.startWorker({
    bundlePath: nextBundle,
    activities: { noteStep: async (id: string) => void noted.add(id) },
    deployment: deploymentOptions({ deployment, buildId: '2' }),
  })
  // Nothing goes to a version that is only there.
  const early = await subscribed('early')
  expect((await placeOf(`subscription/${early.id}`)).buildId).toBe('1')
  await direct('2', 100)
  const ramped = await subscribed('ramped')
  expect((await placeOf(`subscription/${ramped.id}`)).buildId).toBe('2')
  // An invoice may be woken by what Stripe tells of it late.
  expect([sleeper, unpaid, early, ramped].filter(({ id }) => noted.has(id))).toEqual([ramped])

  await direct('2')
  await first.stop()
  expect((await placeOf(`subscription/${sleeper.id}`)).buildId).toBe('1')
  const { client, taskQueue } = installation
  // Temporal lists a workflow a moment after it has begun.
  await waitFor(
    async () =>
      (await client.workflow.count(`ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue}'`)).count,
    (count) => count === 9,
  )
  const env = { ...process.env, NO_COLOR: '1', PERENNIAL_URL: installation.url }
  const args = [program, 'workflows', 'poke', '--per-second', '3', '--json']
  const poked = await promisify(execFile)(process.execPath, args, { env })
  expect(JSON.parse(poked.stdout)).toMatchObject({ poked: 9 })
  for (const [index, workflowId] of sleeping.entries()) {
    const { buildId } = await placed(workflowId, before[index]?.runId)
    expect(buildId).toBe('2')
  }
  // The step itself goes on after its run is on the version.
  await untilNoted(sleeper.id, unpaid.id, unpaidInvoice)

  await advanceTo(installation, sleeper.clockId, '2026-02-02T12:00:00Z')
  await advanceTo(installation, early.clockId, '2026-02-02T12:00:00Z')
  for (const billed of [sleeper, early]) {
    const invoices = await at.invoices(billed)
    expect(invoices.map(({ status, totals }) => `${status} ${totals.total}`)).toEqual([
      'paid 20.00',
      'paid 20.00',
    ])
  }
  expect(await at.invoices(unpaid)).toHaveLength(1)
})
