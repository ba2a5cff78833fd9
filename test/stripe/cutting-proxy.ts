import { createServer, request as send } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** `before`: Stripe never saw the request. `after`: it was carried out, and nobody heard. */
export type Cut = 'before' | 'after'

export interface CuttingProxy {
  readonly url: string
  /** `METHOD /path` of what passed since the last `restore`. */
  readonly passed: () => readonly string[]
  /** Cuts the connection at the n-th request (from 0) and stays dead, as a killed worker does. */
  readonly cutAt: (n: number, cut: Cut) => void
  readonly restore: () => void
  readonly close: () => Promise<void>
}

/** Stands between the client and Stripe, and dies when it is told to. */
export async function cuttingProxy(target: string): Promise<CuttingProxy> {
  let passed: string[] = []
  let plan: { readonly n: number; readonly cut: Cut } | null = null
  let dead = false
  const server = createServer((request, response) => {
    if (dead) return void request.socket.destroy()
    const cut = plan?.n === passed.length ? plan.cut : null
    dead = cut !== null
    if (cut === 'before') return void request.socket.destroy()
    passed.push(`${request.method} ${request.url?.split('?')[0]}`)
    forward(target, request, (reply) => {
      if (cut === 'after') reply.resume().on('end', () => request.socket.destroy())
      else relay(reply, response)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed: () => passed,
    cutAt: (n, cut) => void (plan = { n, cut }),
    restore: () => {
      passed = []
      plan = null
      dead = false
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

function forward(target: string, request: IncomingMessage, onReply: (reply: IncomingMessage) => void): void {
  const { method, headers } = request
  const upstream = send(new URL(request.url ?? '/', target), { method, headers }, onReply)
  upstream.on('error', () => request.socket.destroy())
  request.pipe(upstream)
}

function relay(reply: IncomingMessage, response: ServerResponse): void {
  response.writeHead(reply.statusCode ?? 502, reply.headers)
  // A reply that Stripe breaks off is broken off here too.
  reply.on('error', () => response.destroy())
  reply.pipe(response)
}
