import { afterAll, beforeAll, expect, test } from 'vitest'
import { billedCustomers } from '../support/billed.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'

let installation: Installation
beforeAll(async () => {
  installation = await startInstallation({ worker: { activitySlots: 1 }, maxClockSteps: 0 })
})
afterAll(async () => await installation.close())

/** It gives way some seconds at a time: on a busy machine that adds up. */
const LIMIT_MS = 240_000

test(
  'a test clock that takes up all of a worker gives way to what it waits for',
  { timeout: LIMIT_MS },
  async () => {
    const at = billedCustomers(installation, await startScenario(installation))
    await addTokenPlan(installation)
    const billed = await at.newCustomer({ key: 'crowded' })
    await at.subscribe(billed)
    await at.untilInvoice(billed, ({ status }) => status === 'paid')
    const path = `/api/v1/test-clocks/${billed.clockId}`
    await installation.call('POST', `${path}/advance`, { frozenTime: '2026-02-01T00:00:00Z' })
    await waitFor(
      async () => await installation.call<{ status: string }>('GET', path),
      ({ status }) => status === 'ready',
      LIMIT_MS,
    )
    expect((await at.invoices(billed)).map(({ status }) => status)).toEqual(['paid', 'paid'])
  },
)
