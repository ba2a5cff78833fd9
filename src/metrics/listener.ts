import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'

export interface ListenerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly registry: Registry
  /** More metrics as text, e.g. those of Temporal's SDK. */
  readonly more?: () => Promise<string>
  /** Whether the process can do its work; absent: the process says so elsewhere. */
  readonly isReady?: () => Promise<boolean>
}

export interface Listener {
  readonly port: number
  readonly close: () => Promise<void>
}

type Answer = readonly [status: number, contentType: string, body: string]

const TEXT = 'text/plain; charset=utf-8'
const TIMEOUT_MS = 10_000

/** /metrics (and /healthz, /readyz of a worker) on a port of its own: operators see it, callers do not. */
export async function listenForScrapes(options: ListenerOptions): Promise<Listener> {
  const server = createServer((request, response) => void serve(options, request, response))
  server.requestTimeout = TIMEOUT_MS
  server.headersTimeout = TIMEOUT_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeIdleConnections()
      await new Promise<void>((resolve) => void server.close(() => resolve()))
    },
  }
}

async function serve(
  options: ListenerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [status, type, body] = await answerTo(options, request).catch((error: unknown): Answer => [
    500,
    TEXT,
    error instanceof Error ? error.message : String(error),
  ])
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
}

async function answerTo(
  { registry, more, isReady }: ListenerOptions,
  { method, url }: IncomingMessage,
): Promise<Answer> {
  if (method !== 'GET') return [405, TEXT, 'GET only\n']
  switch (url?.split('?')[0]) {
    case '/metrics':
      return [200, registry.contentType, [await registry.metrics(), (await more?.()) ?? ''].join('\n')]
    case '/healthz':
      return [200, TEXT, 'ok\n']
    case '/readyz':
      return (await isReady?.()) === false ? [503, TEXT, 'not ready\n'] : [200, TEXT, 'ready\n']
    default:
      return [404, TEXT, '/metrics, /healthz and /readyz are here\n']
  }
}
