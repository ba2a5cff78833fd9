import { EventEmitter, once } from 'node:events'
import { Agent, get } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { pino } from 'pino'
import { ulid } from 'ulid'
import { expect, test } from 'vitest'
import { buildApp } from '../../src/api/app.ts'
import type { ApiDeps } from '../../src/api/deps.ts'
import { createTestDatabase } from '../support/database.ts'

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: { readonly status?: string }
}

async function ask(url: string, agent: Agent): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const request = get(url, { agent }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: JSON.parse(text) as Answer['body'],
        }),
      )
    })
    request.on('error', reject)
  })
}

/** Long enough for several requests, whatever the machine. */
const DRAIN_MS = 2_000

/** Asks on new connections until the port is closed; what it answered before. */
async function untilRefused(url: string): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  const agent = new Agent({ keepAlive: false })
  for (;;) {
    try {
      answers.push(await ask(url, agent))
    } catch (error) {
      // No connection came about: nothing was sent that could be lost.
      expect(error).toMatchObject({ syscall: 'connect' })
      return answers
    }
  }
}

async function startApi() {
  const database = await createTestDatabase()
  const gate = new EventEmitter()
  let isSlow = false
  const checkHealth = async (): Promise<{ ok: boolean; detail: string }> => {
    if (isSlow) {
      gate.emit('asked')
      await once(gate, 'released')
    }
    return { ok: true, detail: 'reachable' }
  }
  const app = await buildApp({
    db: database.db,
    temporal: { checkHealth } as ApiDeps['temporal'],
    stripe: {} as ApiDeps['stripe'],
    config: { publicUrl: 'http://127.0.0.1' },
    newId: ulid,
    now: () => new Date(),
    log: pino({ level: 'silent' }),
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  /** From now on /readyz is not answered before `release`; settles when it is asked. */
  const slowDown = async (): Promise<void> => {
    isSlow = true
    await once(gate, 'asked')
  }
  return { app, url, slowDown, release: () => gate.emit('released'), drop: database.drop }
}

test('a stopping API first serves on and is not ready', async () => {
  const { app, url, drop } = await startApi()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  expect((await ask(`${url}/readyz`, agent)).body.status).toBe('ready')
  const drained = app.drain(DRAIN_MS)
  const during = await ask(`${url}/readyz`, agent)
  expect([during.status, during.body.status, during.headers.connection]).toEqual([
    503,
    'stopping',
    'keep-alive',
  ])
  const answers = await untilRefused(`${url}/healthz`)
  expect(answers.length).toBeGreaterThan(0)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  agent.destroy()
  await drained
  await app.close()
  await drop()
})

test('a connection that was kept open is answered once more when the port is closed, and told that it ends', async () => {
  const { app, url, drop } = await startApi()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  await ask(`${url}/healthz`, agent)
  const drained = app.drain(DRAIN_MS)
  await untilRefused(`${url}/healthz`)
  const last = await ask(`${url}/healthz`, agent)
  expect([last.status, last.headers.connection]).toEqual([200, 'close'])
  await drained
  await app.close()
  agent.destroy()
  await drop()
})

test('what is being answered when the port closes is answered to its end', async () => {
  const { app, url, slowDown, release, drop } = await startApi()
  const agent = new Agent({ keepAlive: true })
  const isAsked = slowDown()
  const slow = ask(`${url}/readyz`, agent)
  await isAsked
  const closed = app.drain(0).then(async () => await app.close())
  await untilRefused(`${url}/healthz`)
  release()
  expect((await slow).headers.connection).toBe('close')
  await closed
  agent.destroy()
  await drop()
})
