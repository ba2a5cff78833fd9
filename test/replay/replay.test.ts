import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode, Runtime, Worker } from '@temporalio/worker'
import type { ReplayWorkerOptions } from '@temporalio/worker'
import { DeterminismViolationError } from '@temporalio/workflow'
import { beforeAll, expect, test } from 'vitest'
import { workflowBundlePath } from '../support/temporal.ts'
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

test('every workflow has recorded histories', () => {
  expect(histories.map(({ name }) => name)).toEqual([
    'invoice-approve',
    'invoice-exhaust-dunning',
    'invoice-pay-by-page',
    'invoice-recover-by-dunning',
    'invoice-wait-out-draft-period',
    'subscription-boundary',
    'subscription-cancel',
    'subscription-catch-up',
    'subscription-continued-first-run',
    'subscription-continued-next-run',
    'test-clock',
  ])
})

test.each(histories)('$name replays', async (recorded) => {
  await replay(present, recorded)
})

const oneOfEach = histories.filter(({ name }) =>
  ['invoice-approve', 'subscription-boundary', 'test-clock'].includes(name),
)

test.each(oneOfEach)('$name does not replay with workflows that were changed', async (recorded) => {
  await expect(replay(changed, recorded)).rejects.toBeInstanceOf(DeterminismViolationError)
})
