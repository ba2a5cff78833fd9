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
import { holdRequest } from '../support/faults.ts'
import { MASTER_KEY } from '../support/installation.ts'
import { addCustomer, waitFor } from '../support/scenario.ts'
import { accountOf, expectedAccount } from './account.ts'
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

interface Answer {
  readonly status: number
  readonly code: string | undefined
}

/** A caller that does not give up: the same request until it is answered. */
async function persist(url: string, body: object, headers: object = {}): Promise<Answer> {
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  }
  return await waitFor(
    async () => await ask(url, request),
    // Cut off, failing, or still held by the request that died: ask again.
    ({ status, code }) => status !== 0 && status < 500 && code !== 'idempotency_key_in_use',
    LIMIT_MS,
  )
}

async function ask(url: string, request: RequestInit): Promise<Answer> {
  try {
    const response = await fetch(url, request)
    const text = await response.text()
    const { code } = (text === '' ? {} : JSON.parse(text)) as { code?: string }
    return { status: response.status, code }
  } catch {
    return { status: 0, code: undefined }
  }
}

test(
  'the API is killed amid requests; asked again, there is one subscription and every event once',
  { timeout: LIMIT_MS },
  async () => {
    const apiPort = await freePort()
    const url = `http://127.0.0.1:${apiPort}`
    const key = `killed-api-${randomUUID()}`
    const customer = await addCustomer(lane, lane.scenario, { key })
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
    let killing = Promise.resolve()
    const send = async (path: string, body: object, headers?: object): Promise<Answer> => {
      const answer = await persist(`${url}/api/v1/${path}`, body, headers)
      answered += 1
      // At once: a quick one would have answered them all by the next look.
      if (answered === 3) killing = sigkill(api)
      return answer
    }
    const answers = Promise.all([
      send(
        'subscriptions',
        { customerId: customer.id, plan: { key: 'tokens_monthly' } },
        { 'idempotency-key': randomUUID() },
      ),
      ...batches.map(async (batch) => await send('events', batch)),
    ])
    await waitFor(
      async () => await Promise.resolve(answered),
      (count) => count >= 3,
    )
    await killing
    process.stdout.write(`The API was killed with ${batches.length + 1 - answered} requests unanswered.\n`)
    api = await startApi(apiPort)
    const [subscribed, ...ingested] = await answers
    await sigkill(api)
    expect(new Set(ingested.map(({ status }) => status))).toEqual(new Set([204]))
    // An overlap: it had been made, and only the answer was lost.
    expect([undefined, 'subscription_overlap']).toContain(subscribed?.code)
    const subscriptions = await lane.database.db
      .selectFrom('subscriptions')
      .select('lifecycle')
      .where('customerId', '=', customer.id)
      .execute()
    expect(subscriptions, JSON.stringify(subscribed)).toHaveLength(1)
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
    // Stripe keeps the step waiting until Temporal is dead.
    const finalizing = await holdRequest(lane.sandboxUrl, { kind: 'hold', path: '/finalize$' })
    const running = cycle.run(lane, billed)
    await finalizing.arrived()
    if (temporal.child === null) throw new Error('Temporal is not ours to kill')
    process.kill(temporal.child.pid, 'SIGKILL')
    await temporal.child.exited
    await finalizing.letGo()
    temporal = await startOwnTemporal()
    expect(temporal.address).toBe(`127.0.0.1:${port}`)
    await running
    expect(await accountOf(lane, billed)).toEqual(
      expectedAccount(cycle.invoices, { stored: 2, tokens: cycle.tokens }),
    )
  },
)
