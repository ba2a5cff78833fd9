import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether the process is about to stop: it serves as ever, and asks callers to go elsewhere. */
    isDraining: boolean
  }
}

/**
 * How a stop loses no request. `close()` first drains: /readyz answers 503, so that a load balancer turns away, every answer
 * carries `connection: close`, so that kept-alive connections end between two requests, and everything that still comes is
 * served. Only then the port is closed, and what is being answered is finished. Needs `return503OnClosing: false`.
 */
export function draining(drainMs: number) {
  return fp(async (app: FastifyInstance) => {
    app.decorate('isDraining', false)
    // Of a request that began before, too: its connection would stay open, and keep the process from ending.
    app.addHook('onSend', async (_request, reply) => {
      if (app.isDraining) reply.header('connection', 'close')
    })
    app.addHook('preClose', async () => {
      app.isDraining = true
      if (drainMs > 0) await delay(drainMs)
      // Right after connections were accepted: closing the port resets those that wait to be.
      await nextTurn()
    })
  })
}
