import { mkdir, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { gzipSync } from 'node:zlib'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import { afterAll, beforeAll, test } from 'vitest'
import {
  addDailyPlan,
  approve,
  billBoundary,
  cancel,
  catchUp,
  continueAsNew,
  exhaustDunning,
  payByPage,
  recoverByDunning,
  waitOutDraftPeriod,
} from '../support/billing-paths.ts'
import type { Walker } from '../support/billing-paths.ts'
import { startInstallation } from '../support/installation.ts'
import { addTokenPlan, startScenario } from '../support/scenario.ts'
import { historyFolder } from './history-files.ts'

// Run by scripts/record-histories.ts only: its name keeps it out of the tests.
let walker: Walker

beforeAll(async () => {
  await rm(historyFolder, { recursive: true, force: true })
  await mkdir(historyFolder, { recursive: true })
  const installation = await startInstallation()
  walker = { installation, scenario: await startScenario(installation) }
  await addTokenPlan(installation)
  await addDailyPlan(walker)
})
afterAll(async () => {
  await walker.installation.close()
})

async function record(name: string, workflowId: string, runId?: string): Promise<void> {
  const history = await walker.installation.client.workflow.getHandle(workflowId, runId).fetchHistory()
  // Which machine recorded it is of no interest.
  const json = historyToJSON(history).replaceAll(`${process.pid}@${hostname()}`, 'recorder')
  const text = `{"workflowId":${JSON.stringify(workflowId)},"history":${json}}`
  await writeFile(new URL(`${name}.json.gz`, historyFolder), gzipSync(text, { level: 9 }))
}

test('subscriptions', async () => {
  await record('subscription-boundary', await billBoundary(walker, 'boundary'))
  await record('subscription-catch-up', await catchUp(walker, 'catch_up'))
  await record('subscription-cancel', await cancel(walker, 'cancel'))
})

test('a subscription that continued as new, and its test clock', async () => {
  const { subscription, testClock } = await continueAsNew(walker, 'daily')
  const { events } = await walker.installation.client.workflow.getHandle(subscription).fetchHistory()
  const firstRun = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId
  if (!firstRun) throw new Error('the subscription did not continue as new')
  await record('subscription-continued-first-run', subscription, firstRun)
  await record('subscription-continued-next-run', subscription)
  await record('test-clock', testClock)
})

test('invoices', async () => {
  const walks = { recoverByDunning, exhaustDunning, approve, waitOutDraftPeriod, payByPage }
  for (const [name, walk] of Object.entries(walks)) {
    const kebab = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    await record(`invoice-${kebab}`, `invoice/${await walk(walker, name)}`)
  }
})
