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
          status: raw.writableEnded ? classOf(raw.statusCode) : 'aborted',
          seconds: (performance.now() - begun) / 1000,
        })
      })
      done()
    })
  })
}

const NOT_OFFERED = 501

const classOf = (code: number): string =>
  code === NOT_OFFERED ? String(NOT_OFFERED) : `${Math.floor(code / 100)}xx`

const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? NO_ROUTE
