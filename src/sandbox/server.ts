import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ApiRequest } from './api.ts'
import { createApi, UNAVAILABLE } from './api.ts'
import { createTimeKeeper } from './clock.ts'
import type { Context } from './context.ts'
import type { ControlDeps } from './control/call.ts'
import { control } from './control/routes.ts'
import { createDeliverer } from './deliveries.ts'
import { withoutExpired } from './expiry.ts'
import { createFaults } from './faults.ts'
import { parseForm, readBody, send, sendHtml, sendJson, truncate } from './http.ts'
import { openJournalFile } from './journal-file.ts'
import { pageFor } from './pages/pages.ts'
import { createRequestLog } from './request-log.ts'
import { routes } from './routes.ts'
import { createStore } from './store.ts'
import { createWebhookRules } from './webhook-rules.ts'

export interface SandboxOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** Where the state is kept; absent: in memory only. */
  readonly dataFile?: string
  readonly log?: (message: string) => void
}

export interface Sandbox {
  /** `http://127.0.0.1:port` */
  readonly url: string
  readonly port: number
  readonly close: () => Promise<void>
}

/** Node closes after five seconds; on a busy machine that meets requests on their way, as no fault that anybody asked for. */
const KEPT_OPEN_MS = 10 * 60_000

type Persistence = Pick<ReturnType<typeof openJournalFile>, 'append' | 'close' | 'read' | 'rewrite'>
const nowhere: Persistence = { append: () => {}, close: () => {}, read: () => [], rewrite: () => {} }

const HOST = '127.0.0.1'
const ABOUT = {
  about: 'A local Stripe: no money moves. Described in docs/sandbox.md.',
  api: '/v1, with any sk_test_ key',
  control: ['/_sandbox/requests', '/_sandbox/dump', '/_sandbox/webhooks/deliveries'],
}

/**
 * Starts a local Stripe on the loopback interface. With a data file, whatever was acknowledged survives the process,
 * and pending deliveries and advancing clocks go on at the next start.
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { dataFile, log = () => {} } = options
  const file = dataFile === undefined ? nowhere : openJournalFile(dataFile)
  const store = createStore((changes) => file.append(changes))
  store.load(withoutExpired(file.read(), Date.now()))
  file.rewrite(store.dump())

  const state = { origin: '' }
  const context = (): Context => ({ store, nowMs: Date.now, origin: state.origin, request: null })
  const fail = (error: unknown) =>
    log(`sandbox: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  const rules = createWebhookRules()
  const faults = createFaults()
  const requests = createRequestLog()
  const deliverer = createDeliverer({ context, rules, log })
  const time = createTimeKeeper({ context, changed: () => deliverer.kick(), fail })
  const changed = () => {
    deliverer.kick()
    time.kick()
  }
  const reset = () => {
    store.clear()
    file.rewrite([])
    requests.clear()
    faults.clear()
    rules.clear()
  }
  const api = createApi({ store, faults, routes, nowMs: Date.now, origin: () => state.origin, changed })
  const controls: ControlDeps = { context, log: requests, faults, rules, deliverer, time, reset, changed }

  const serveApi = async (request: IncomingMessage, [response, url]: readonly [ServerResponse, URL]) => {
    const started = Date.now()
    const text = await readBody(request)
    const method = request.method ?? 'GET'
    const params = parseForm(method === 'POST' ? text : url.search.slice(1))
    const call: ApiRequest = { method, path: url.pathname, params, headers: request.headers }
    const reply = await api(call)
    const headerText = (name: string) =>
      typeof request.headers[name] === 'string' ? request.headers[name] : null
    requests.add({
      at: new Date(started).toISOString(),
      requestId: reply.headers['request-id'] ?? '',
      method,
      path: url.pathname,
      params,
      idempotencyKey: headerText('idempotency-key'),
      stripeVersion: headerText('stripe-version'),
      status: reply.status,
      errorCode: /"code":"(\w+)"/.exec(reply.status >= 400 ? reply.body : '')?.[1] ?? null,
      replayed: reply.replayed ?? false,
      fault: reply.fault ?? null,
      durationMs: Date.now() - started,
    })
    if (reply.cut === 'reset') request.socket.resetAndDestroy()
    else if (reply.cut === 'truncate') truncate(response, reply.status, [reply.headers, reply.body])
    else send(response, reply.status, [reply.headers, reply.body])
  }

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', state.origin)
    if (url.pathname.startsWith('/v1/')) return serveApi(request, [response, url])
    if (url.pathname.startsWith('/_sandbox')) return control(controls, request, [response, url])
    if (url.pathname === '/') return sendJson(response, 200, ABOUT)
    const page = pageFor(url.pathname)
    if (page !== undefined && faults.takesPages())
      return sendHtml(response, UNAVAILABLE.status, UNAVAILABLE.body)
    if (page === undefined) return sendJson(response, 404, { error: 'no such page' })
    const text = await readBody(request)
    page({ ctx: context(), method: request.method ?? 'GET', url, form: parseForm(text), response, changed })
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fail(error)
      if (!response.headersSent) sendJson(response, 500, { error: 'the sandbox failed; see its log' })
    })
  })
  server.keepAliveTimeout = KEPT_OPEN_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, HOST, resolve)
  })
  const { port } = server.address() as AddressInfo
  state.origin = `http://${HOST}:${port}`
  changed()

  const close = async () => {
    const closing = new Promise((resolve) => {
      server.close(resolve)
    })
    server.closeAllConnections()
    await Promise.all([closing, deliverer.close(), time.close()])
    file.close()
  }
  return { url: state.origin, port, close }
}
