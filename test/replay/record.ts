import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import { afterEach, beforeAll, expect, inject, test } from 'vitest'
import { startTemporal } from '../../src/local/temporal.ts'
import * as paths from '../support/billing-paths.ts'
import type { Walker } from '../support/billing-paths.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addTokenPlan, startScenario } from '../support/scenario.ts'
import { historyFolder } from './history-files.ts'
import * as slow from './slow-paths.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder to record into. */
    readonly release: string
    /** Names of histories; empty: all. */
    readonly only: readonly string[]
  }
}

// Run by scripts/record-histories.ts only: its name keeps it out of the tests.
const MINUTES = 60_000
const folder = new URL(`${inject('release')}/`, historyFolder)
const closing: (() => Promise<void>)[] = []
let recorded: ReadonlySet<string>
const only = new Set(inject('only'))
const isWanted = (name: string): boolean => !recorded.has(name) && (only.size === 0 || only.has(name))

beforeAll(async () => {
  await mkdir(folder, { recursive: true })
  recorded = new Set((await readdir(folder)).map((file) => file.replace('.json.gz', '')))
})
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Options {
  readonly temporalAddress?: string
  /** Without plans of ours. */
  readonly bare?: boolean
}

async function start({ bare = false, ...options }: Options = {}): Promise<Walker<Installation>> {
  const installation = await startInstallation(options)
  closing.push(installation.close)
  const walker = { installation, scenario: await startScenario(installation) }
  if (bare) return walker
  await addTokenPlan(installation)
  await paths.addDailyPlan(walker)
  return walker
}

interface Run {
  readonly name: string
  readonly workflowId: string
  /** Left out: the newest. */
  readonly runId?: string
}

async function record({ installation }: Walker, { name, workflowId, runId }: Run): Promise<void> {
  const history = await installation.client.workflow.getHandle(workflowId, runId).fetchHistory()
  // Which machine recorded it is of no interest.
  const json = historyToJSON(history).replaceAll(`${process.pid}@${hostname()}`, 'recorder')
  const text = `{"workflowId":${JSON.stringify(workflowId)},"history":${json}}`
  // What a release has recorded is never written again.
  await writeFile(new URL(`${name}.json.gz`, folder), gzipSync(text, { level: 9 }), { flag: 'wx' })
}

/** The run before the newest. */
async function runBefore({ installation }: Walker, workflowId: string): Promise<string> {
  const { events } = await installation.client.workflow.getHandle(workflowId).fetchHistory()
  const runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId
  if (!runId) throw new Error(`${workflowId} did not continue as new`)
  return runId
}

type Walk = (walker: Walker<Installation>, key: string) => Promise<string | readonly string[]>

/** Walks what is not recorded yet, and records the workflows that it names, in order. */
async function walkAll(walks: readonly (readonly [Walk, ...string[]])[], options?: Options): Promise<void> {
  const missing = walks.filter(([, ...names]) => names.some(isWanted))
  if (missing.length === 0) return
  const walker = await start(options)
  for (const [walk, ...names] of missing) {
    const ids = [await walk(walker, (names[0] ?? '').replaceAll('-', '_'))].flat()
    expect(ids).toHaveLength(names.length)
    for (const [index, name] of names.entries()) await record(walker, { name, workflowId: ids[index] ?? '' })
  }
}

const invoice =
  (walk: (walker: Walker, key: string) => Promise<string>): Walk =>
  async (walker, key) =>
    `invoice/${await walk(walker, key)}`

test('on real time', { timeout: 10 * MINUTES }, async () => {
  await walkAll([
    [paths.billBoundary, 'subscription-boundary'],
    [paths.catchUp, 'subscription-catch-up'],
    [paths.cancel, 'subscription-cancel'],
    [slow.refuseCommand, 'subscription-refused-command'],
    [slow.waitForYears, 'subscription-years-ahead'],
    [slow.outlastObstacle, 'subscription-obstacle'],
    [slow.commandInTask, 'subscription-commands-keep-timer'],
    [invoice(paths.recoverByDunning), 'invoice-recover-by-dunning'],
    [invoice(paths.exhaustDunning), 'invoice-exhaust-dunning'],
    [invoice(paths.approve), 'invoice-approve'],
    [invoice(paths.waitOutDraftPeriod), 'invoice-wait-out-draft-period'],
    [invoice(paths.payByPage), 'invoice-pay-by-page'],
    [invoice(paths.confirmAtTheBank), 'invoice-three-d-secure'],
    [slow.retryAndVoid, 'invoice-retry-and-void'],
    [slow.outlastOutage, 'invoice-outage'],
    [slow.rebuild, 'subscription-rebuilt', 'invoice-rebuilt'],
  ])
})

test('on test clocks', { timeout: 10 * MINUTES }, async () => {
  await walkAll([
    [slow.parkAndRelease, 'subscription-parked-and-released'],
    [slow.runInvoice, 'subscription-running-invoice'],
    [slow.dunOnClock, 'subscription-ended-at-period', 'invoice-dunning-on-clock'],
  ])
})

test('billed by Stripe', { timeout: 5 * MINUTES }, async () => {
  await walkAll([[slow.billAsItems, 'subscription-stripe-items']], { bare: true })
})

test('that continue as new after their steps', { timeout: 5 * MINUTES }, async () => {
  // The second was recorded between releases, when runs became short.
  const ofFirst = ['subscription-continued-first-run', 'subscription-short-run'].filter(isWanted)
  if (ofFirst.length === 0) return
  const walker = await start()
  const { subscription, testClock } = await paths.continueAsNew(walker, 'daily')
  const runId = await runBefore(walker, subscription)
  for (const name of ofFirst) await record(walker, { name, workflowId: subscription, runId })
  const ofNext = [
    ['subscription-continued-next-run', subscription],
    ['test-clock', testClock],
  ] as const
  for (const [name, workflowId] of ofNext) if (isWanted(name)) await record(walker, { name, workflowId })
})

test('that are poked', { timeout: 5 * MINUTES }, async () => {
  if (!isWanted('subscription-poked')) return
  const walker = await start()
  for (const workflowId of await slow.poke(walker, 'poked')) {
    const name = `${workflowId.split('/')[0]}-poked`
    await record(walker, { name, workflowId, runId: await runBefore(walker, workflowId) })
  }
})

test('that continue as new when Temporal suggests it', { timeout: 5 * MINUTES }, async () => {
  if (!isWanted('subscription-suggested')) return
  const server = await startTemporal({
    folder: join(tmpdir(), `perennial-recorder-${process.pid}`),
    persistent: false,
    ui: false,
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': 16 },
  })
  closing.push(server.stop)
  const walker = await start({ temporalAddress: server.address })
  const [subscription, unpaid, testClock] = await slow.dunDaily(walker, 'suggested')
  for (const workflowId of [subscription, unpaid, testClock]) {
    const name = `${workflowId.split('/')[0]}-suggested`
    await record(walker, { name, workflowId, runId: await runBefore(walker, workflowId) })
  }
})
