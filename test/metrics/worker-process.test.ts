import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { ulid } from 'ulid'
import { expect, test } from 'vitest'
import { insertTestClock } from '../../src/db/stores/test-clock-create.ts'
import { freePort } from '../../src/local/ports.ts'
import { createTestDatabase } from '../support/database.ts'
import { MASTER_KEY } from '../support/installation.ts'
import { waitFor } from '../support/scenario.ts'
import { testTemporalAddress, workflowBundlePath } from '../support/temporal.ts'

const root = new URL('../../', import.meta.url)
/** Not before a workflow task has failed, or a subscription took a step. */
const rare = [
  'temporal_workflow_task_execution_failed_total',
  'temporal_local_activity_execution_latency_seconds',
]

const scraped = async (port: number): Promise<string> =>
  await fetch(`http://127.0.0.1:${port}/metrics`).then(
    async (answer) => await answer.text(),
    () => '',
  )

test('a worker shows its metrics and those of Temporal in one scrape, by the names that the page has', async () => {
  const page = await readFile(new URL('docs/operations.md', root), 'utf8')
  const names = [...page.matchAll(/^\| `(temporal_[a-z_]+)`/gm)].map(([, name]) => name ?? '')
  const wanted = names.filter((name) => !rare.includes(name))
  expect(wanted.length).toBeGreaterThan(5)
  const [database, port] = [await createTestDatabase(), await freePort()]
  await database.db
    .transaction()
    .execute(async (trx) => await insertTestClock(trx, { id: ulid(), name: 'clock', frozenTime: new Date() }))
  const worker = fork(fileURLToPath(new URL('worker.ts', root)), [], {
    execArgv: ['--import', 'tsx'],
    stdio: 'ignore',
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: await testTemporalAddress(),
      TEMPORAL_TASK_QUEUE: `metrics-${ulid()}`,
      WORKFLOW_BUNDLE: await workflowBundlePath(),
      PERENNIAL_MASTER_KEY: MASTER_KEY,
      METRICS_PORT: String(port),
    },
  })
  const ended = once(worker, 'exit')
  try {
    // The clock's workflow is started by the relay and runs an activity: by then every metric has a value.
    const text = await waitFor(
      async () => await scraped(port),
      (text) =>
        wanted.every((name) => text.includes(`\n${name}`)) &&
        text.includes('perennial_relay_deliveries_total{box="outbox",outcome="done"} 1') &&
        // The database answers slowly on a busy machine, and an answer is good for some seconds.
        !text.includes('\nperennial_database_up 0\n'),
    )
    expect(text).toContain('\nperennial_database_up 1\n')
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200)
  } finally {
    worker.kill('SIGTERM')
    await ended
    await database.drop()
  }
})
