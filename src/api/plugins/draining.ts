import { Server } from 'node:net'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether the process is about to stop: /readyz says so. */
    readonly isDraining: () => boolean
    /** What comes before `close()` for a stop that loses no request. */
    readonly drain: (drainMs: number) => Promise<void>
  }
}

const POLL_MS = 25

/**
 * A stop in which no request is lost or reset. First everything goes on, only /readyz answers 503: load balancers turn away.
 * Then the port is closed, which tells everybody else, and kept-alive connections stay until their next answer, which says
 * `connection: close`: closed while idle, one could meet a request on its way. Each part takes the given time at most; the
 * second ends with the last connection. Then `close()`, which ends what is idle still and waits for what is being answered.
 */
export const draining = fp(async (app: FastifyInstance) => {
  let isDraining = false
  let isPortClosed = false
  app.decorate('isDraining', () => isDraining)
  app.decorate('drain', async (drainMs: number) => {
    isDraining = true
    if (drainMs > 0) await delay(drainMs)
    // Right after connections were accepted: closing the port resets those that wait to be.
    await nextTurn()
    isPortClosed = true
    // Of `net`: that of `http` closes idle connections, too.
    Server.prototype.close.call(app.server)
    const until = Date.now() + drainMs
    while (Date.now() < until && (await connections(app)) > 0) await delay(POLL_MS)
  })
  app.addHook('onSend', async (_request, reply) => {
    if (isPortClosed) reply.header('connection', 'close')
  })
})

async function connections(app: FastifyInstance): Promise<number> {
  return await new Promise((resolve, reject) => {
    app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
  })
}
