import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly idempotencyKey: string | undefined
  readonly apiVersion: string | undefined
}
export interface ScriptedServer {
  readonly url: string
  readonly seen: readonly SeenRequest[]
  readonly close: () => Promise<void>
}

/** A loopback server that answers every request as told: for answers that a healthy Stripe does not give. */
export async function scriptedServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<ScriptedServer> {
  const seen: SeenRequest[] = []
  const server = createServer((request, response) => {
    const header = (name: string): string | undefined => request.headers[name]?.toString()
    seen.push({
      method: request.method ?? '',
      path: request.url ?? '',
      idempotencyKey: header('idempotency-key'),
      apiVersion: header('stripe-version'),
    })
    request.resume().on('end', () => answer(request, response))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  return (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_1', ...headers })
    response.end(JSON.stringify(body))
  }
}
