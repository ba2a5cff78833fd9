import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import type { ApiObserver } from '../observer.ts'

/** Routes that do not exist are one. */
const NO_ROUTE = 'none'

/** Tells when each request began and ended. `close` comes once for every response, also where the client went away. */
export function observing(observer: ApiObserver) {
  return fp(async (app) => {
    app.addHook('onRequest', (request, { raw }, done) => {
      const begun = performance.now()
      observer.requestBegan()
      raw.once('close', () => {
        observer.requestEnded({
          route: routeOf(request),
          method: request.method,
          status: raw.writableEnded ? `${Math.floor(raw.statusCode / 100)}xx` : 'aborted',
          seconds: (performance.now() - begun) / 1000,
        })
      })
      done()
    })
  })
}

const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? NO_ROUTE
