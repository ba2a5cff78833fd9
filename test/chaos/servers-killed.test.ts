import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../src/local/ports.ts'
import { startTemporal } from '../../src/local/temporal.ts'
import type { RunningTemporal } from '../../src/local/temporal.ts'
import { MASTER_KEY } from '../support/installation.ts'
import { waitFor } from '../support/scenario.ts'
import { accountOf, expectedAccount } from './audit.ts'
import { cycles } from './cycles.ts'
import { startLane } from './lane.ts'
import type { Lane } from './lane.ts'

const LIMIT_MS = 200_000
let folder: string
let port: number
let temporal: RunningTemporal
let lane: Lane

/** A Temporal of our own that keeps its state in a file, so that it may be killed. */
async function startOwnTemporal(): Promise<RunningTemporal> {
  const preferredPorts = { grpc: port, ui: await freePort() }
  return await startTemporal({ folder, persistent: true, ui: false, preferredPorts })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perennial-chaos-'))
  port = await freePort()
  temporal = await startOwnTemporal()
  lane = await startLane({ address: temporal.address })
}, LIMIT_MS)
afterAll(async () => {
  await lane.close()
  await temporal.stop()
  await rm(folder, { recursive: true, force: true })
})

/** The API as a process of its own, on the lane's database. */
async function startApi(apiPort: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'server.ts'], {
    env: {
      ...process.env,
      PORT: String(apiPort),
      DATABASE_URL: lane.database.url,
      DATABASE_POOL_SIZE: '4',
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_TASK_QUEUE: lane.worker.taskQueue,
      STRIPE_API_BASE: lane.sandboxUrl,
      PERENNIAL_MASTER_KEY: MASTER_KEY,
      LOG_LEVEL: 'silent',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await waitFor(
    async () =>
      await fetch(`http://127.0.0.1:${apiPort}/api/v1/plans`).then(
        ({ ok }) => ok,
        () => false,
      ),
    (isUp) => isUp,
  )
  return child
}

async function sigkill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** A caller that does not give up: the same request under the same key until it is answered. */
async function persist(url: string, body: object): Promise<number> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() }
  return await waitFor(
    async () =>
      await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) }).then(
        async (response) => {
          await response.arrayBuffer()
          return response.status
        },
        () => 0,
      ),
    // Cut off, failing, or still held by the request that died: ask again.
    (status) => status !== 0 && status < 500 && status !== 409,
    LIMIT_MS,
  )
}

test(
  'the API is killed amid requests; asked again, there is one subscription and every event once',
  { timeout: LIMIT_MS },
  async () => {
    const apiPort = await freePort()
    const url = `http://127.0.0.1:${apiPort}`
    const key = `killed-api-${randomUUID()}`
    const customer = await lane.call<{ id: string }>('POST', '/api/v1/customers', {
      key,
      name: key,
      currency: 'USD',
      usageAttribution: { subjectKeys: [key] },
    })
    let api = await startApi(apiPort)
    const event = (id: number) => ({
      specversion: '1.0',
      id: `${key}-${id}`,
      source: 'chaos',
      type: 'request',
      subject: key,
      data: { tokens: 1, kind: 'context' },
    })
    const batches = Array.from({ length: 40 }, (_, batch) =>
      Array.from({ length: 25 }, (_each, index) => event(batch * 25 + index)),
    )
    let answered = 0
    const send = async (path: string, body: object): Promise<number> => {
      const status = await persist(`${url}/api/v1/${path}`, body)
      answered += 1
      return status
    }
    const answers = Promise.all([
      ...batches.map(async (batch) => await send('events', batch)),
      send('subscriptions', { customerId: customer.id, plan: { key: 'tokens_monthly' } }),
    ])
    await waitFor(
      async () => await Promise.resolve(answered),
      (count) => count >= 3,
    )
    await sigkill(api)
    const unanswered = batches.length + 1 - answered
    process.stdout.write(`The API was killed with ${unanswered} requests unanswered.\n`)
    expect(unanswered).toBeGreaterThan(0)
    api = await startApi(apiPort)
    const statuses = await answers
    await sigkill(api)
    expect(new Set(statuses.slice(0, -1))).toEqual(new Set([204]))
    expect(statuses.at(-1)).toBe(201)

    const { items } = await lane.call<{ items: unknown[] }>(
      'GET',
      `/api/v1/customers/${customer.id}/subscriptions`,
    )
    expect(items).toHaveLength(1)
    const usage = await lane.call<{ data: { value: number }[] }>(
      'GET',
      `/api/v1/meters/tokens/query?subject=${key}`,
    )
    expect(usage.data.map(({ value }) => value)).toEqual([1000])
  },
)

test(
  'rule 29: Temporal is killed in the middle of a cycle and goes on where it was',
  { timeout: LIMIT_MS },
  async () => {
    const cycle = cycles.ordinary
    const billed = await cycle.prepare(lane)
    // Stripe is slow, so that the step is under way when Temporal dies.
    await fetch(`${lane.sandboxUrl}/_sandbox/faults`, {
      method: 'POST',
      body: JSON.stringify({ kind: 'latency', path: '/finalize$', latencyMs: 2000 }),
    })
    const running = cycle.run(lane, billed)
    await waitFor(
      async () =>
        await lane.database.db
          .selectFrom('invoices')
          .select('status')
          .where('customerId', '=', billed.customerId)
          .where('status', '=', 'issuing')
          .execute(),
      (issuing) => issuing.length === 1,
    )
    if (temporal.child === null) throw new Error('Temporal is not ours to kill')
    process.kill(temporal.child.pid, 'SIGKILL')
    await temporal.child.exited
    temporal = await startOwnTemporal()
    expect(temporal.address).toBe(`127.0.0.1:${port}`)
    await running
    expect(await accountOf(lane, billed)).toEqual(
      expectedAccount(cycle.invoices, { stored: 2, tokens: cycle.tokens }),
    )
  },
)
