import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode, Runtime, Worker } from '@temporalio/worker'
import type { ReplayWorkerOptions } from '@temporalio/worker'
import { DeterminismViolationError } from '@temporalio/workflow'
import { beforeAll, expect, test } from 'vitest'
import { workflowBundlePath } from '../support/temporal.ts'
import { branchesInSource } from './branches.ts'
import { crossedBy } from './crossed.ts'
import { readHistories } from './history-files.ts'
import type { RecordedHistory } from './history-files.ts'

Runtime.install({ telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } } })

const histories = await readHistories()
let present: ReplayWorkerOptions
let changed: ReplayWorkerOptions

beforeAll(async () => {
  present = { workflowBundle: { codePath: await workflowBundlePath() } }
  const workflowsPath = fileURLToPath(new URL('fixtures/changed-workflows.ts', import.meta.url))
  changed = { workflowBundle: await bundleWorkflowCode({ workflowsPath, logger: silent }) }
})

const nothing = (): void => {}
const silent = { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }

const replay = async (
  options: ReplayWorkerOptions,
  { history, workflowId }: RecordedHistory,
): Promise<void> => await Worker.runReplayHistory(options, history, workflowId)

test('a recorded history crosses every branch of the workflows', async () => {
  const crossed = new Set(histories.flatMap(crossedBy))
  const branches = await branchesInSource()
  expect(branches).toEqual(
    expect.arrayContaining(['invoice command void', 'subscription local failure advanceSubscription']),
  )
  expect(branches.filter((branch) => !crossed.has(branch))).toEqual([])
})

test('what the first release recorded every later one has recorded, too', () => {
  const namesOf = (wanted: string): readonly string[] =>
    histories.filter(({ release }) => release === wanted).map(({ name }) => name)
  const [first = '', ...later] = new Set(histories.map(({ release }) => release))
  expect(namesOf(first).length).toBeGreaterThan(20)
  // What is not released yet has what is new only.
  for (const release of later.filter((name) => name !== 'next'))
    expect(namesOf(release)).toEqual(expect.arrayContaining([...namesOf(first)]))
})

test.each(histories)('$release/$name replays', async (recorded) => {
  await replay(present, recorded)
})

const oneOfEach = histories.filter(({ name }) =>
  ['invoice-approve', 'subscription-boundary', 'test-clock'].includes(name),
)

test.each(oneOfEach)('$release/$name does not replay with workflows that were changed', async (recorded) => {
  await expect(replay(changed, recorded)).rejects.toBeInstanceOf(DeterminismViolationError)
})
