import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { freePort } from '../../src/local/ports.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { MASTER_KEY } from '../support/installation.ts'
import { waitFor } from '../support/scenario.ts'
import { testTemporalAddress } from '../support/temporal.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** A process starts slowly on a busy machine. */
const LIMIT_MS = 150_000

let database: TestDatabase
let proxy: Server
/** While it is false, connections to the database are cut. */
let isThere = false
let api: ChildProcess | null = null

beforeAll(async () => {
  database = await createTestDatabase()
  const { hostname, port } = new URL(database.url)
  proxy = createServer((socket) => {
    if (!isThere) return void socket.destroy()
    const upstream = connect(Number(port), hostname)
    for (const end of [socket, upstream]) end.on('error', () => {})
    socket.pipe(upstream).pipe(socket)
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
})
beforeEach(() => {
  isThere = false
})
afterEach(async () => {
  if (api === null || api.exitCode !== null) return
  const ended = once(api, 'exit')
  api.kill('SIGKILL')
  await ended
})
afterAll(async () => {
  await database.drop()
  proxy.close()
})

/** The API as a process of its own, and its log so far. */
async function start(host: string): Promise<{ readonly url: string; readonly log: () => string }> {
  const [port, chunks] = [await freePort(), [] as Buffer[]]
  const databaseUrl = new URL(database.url)
  databaseUrl.port = String((proxy.address() as AddressInfo).port)
  api = spawn(process.execPath, ['--import', 'tsx', 'server.ts'], {
    cwd: root,
    env: {
      ...process.env,
      HOST: host,
      PORT: String(port),
      DATABASE_URL: databaseUrl.href,
      TEMPORAL_ADDRESS: await testTemporalAddress(),
      PERENNIAL_MASTER_KEY: MASTER_KEY,
      SHUTDOWN_DRAIN: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  api.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { url: `http://${host}:${port}`, log: () => Buffer.concat(chunks).toString() }
}

const readiness = async (url: string): Promise<number> =>
  await fetch(`${url}/readyz`).then(
    ({ status }) => status,
    () => 0,
  )

test(
  'an API that starts before its database says so, is not ready, and becomes so by itself',
  { timeout: 2 * LIMIT_MS },
  async () => {
    const { url, log } = await start('127.0.0.1')
    await waitFor(
      async () => await readiness(url),
      (status) => status === 503,
      LIMIT_MS,
    )
    expect((await fetch(`${url}/api/v1/meters`)).status).toBe(503)
    await waitFor(
      async () => log(),
      (text) => text.includes('the database cannot be reached'),
    )
    isThere = true
    await waitFor(
      async () => await readiness(url),
      (status) => status === 200,
      LIMIT_MS,
    )
    expect((await fetch(`${url}/api/v1/meters`)).status).toBe(200)
  },
)

test(
  'an API that others can call and finds no key when its database is there lets nobody in, and ends',
  { timeout: 2 * LIMIT_MS },
  async () => {
    // Not among the addresses that are known to be this machine's alone.
    const { url, log } = await start('127.0.0.2')
    await waitFor(
      async () => await readiness(url),
      (status) => status === 503,
      LIMIT_MS,
    )
    const statuses: number[] = []
    const ask = async (): Promise<void> => {
      const answer = await fetch(`${url}/api/v1/meters`).catch(() => null)
      if (answer !== null) statuses.push(answer.status)
    }
    isThere = true
    await waitFor(ask, () => api?.exitCode !== null, LIMIT_MS)
    expect(statuses.filter((status) => status < 400)).toEqual([])
    expect(api?.exitCode).toBe(1)
    await waitFor(
      async () => log(),
      (text) => text.includes('Without an API key the server listens on loopback only'),
    )
  },
)
