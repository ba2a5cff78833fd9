import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { poolUse } from '../../db/connection.ts'
import { DomainError } from '../../domain/errors.ts'
import { Admission } from '../admission.ts'
import type { ApiLimits, RequestKind, Ticket } from '../admission.ts'
import type { ApiDeps } from '../deps.ts'
import { keyRate } from '../key-rate.ts'
import { unobserved } from '../observer.ts'
import type { RefusalReason } from '../observer.ts'
import { endLate } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `command`: waits for a worker; `webhook`: refused last; `exempt`: never refused, and cheap. */
    admission?: 'command' | 'webhook' | 'exempt'
  }
  interface FastifyRequest {
    ticket: Ticket | null
  }
}

const reasons: Readonly<Record<RefusalReason, string>> = {
  requests: 'This server is working on as many requests as it takes on at once',
  commands: 'This server has as many commands under way as it takes on at once',
  bodies: 'This server holds as much of request bodies as it takes on at once',
  database: 'As many queries wait for the database as this server takes on at once',
  key_rate: 'This API key has sent as many requests as it may for now',
}

/** Nothing was done of what is refused here: whoever repeats it later loses nothing. */
function refuse(reply: FastifyReply, reason: RefusalReason, seconds = 1): never {
  reply.header('retry-after', String(seconds))
  throw new DomainError('too_many_requests', `${reasons[reason]}; repeat this one in ${seconds} s.`)
}

/** What a body may come to: as announced, else the most that is read of it. */
function bodyBytes({ headers, routeOptions }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return routeOptions.bodyLimit
  return Math.min(Number(headers['content-length'] ?? 0) || 0, routeOptions.bodyLimit)
}

/**
 * Bounded work: what is beyond the limits is answered with 429 and Retry-After, before its key is looked up, its body read or a
 * query made. Comes before authentication.
 */
export function admission(deps: ApiDeps, limits: ApiLimits) {
  const observer = deps.observer ?? unobserved
  const gate = new Admission(limits, () => poolUse(deps.db).waiting)
  const held = (reply: FastifyReply, reason: RefusalReason | 'left' | null): void => {
    if (reason === null) return
    if (reason === 'left') refuse(reply, 'requests')
    observer.refused(reason)
    refuse(reply, reason)
  }
  return fp(async (app) => {
    app.decorateRequest('ticket', null)
    app.addHook('onRequest', async (request, reply) => {
      const kind = request.routeOptions.config.admission
      if (kind === 'exempt') return
      const entered = gate.enter(kind ?? ('call' satisfies RequestKind))
      if (typeof entered === 'string') return held(reply, entered)
      request.ticket = entered
      reply.raw.once('close', entered.left)
    })
    app.addHook('preParsing', async (request, reply, payload) => {
      const displaced = (): void => {
        observer.refused('bodies')
        endLate(request.raw.socket)
      }
      held(reply, request.ticket?.readBody(bodyBytes(request), displaced) ?? null)
      return payload
    })
    app.addHook('preValidation', async (request, reply) => held(reply, request.ticket?.begin() ?? null))
  })
}

/** Comes last of all that works on an answer: with it the request’s work is done. */
export const admissionEnd = fp(async (app) => {
  app.addHook('onSend', async (request) => request.ticket?.done())
})

/** Comes after authentication: each key at its own rate, where one is set. */
export function perKeyRate({ observer = unobserved, now }: ApiDeps, { perKeyPerSecond }: ApiLimits) {
  return fp(async (app) => {
    if (perKeyPerSecond === undefined) return
    const waitMs = keyRate(perKeyPerSecond, () => now().getTime())
    app.addHook('onRequest', async (request, reply) => {
      if (request.routeOptions.config.scope === 'public') return
      const ms = waitMs(request.caller)
      if (ms === 0) return
      observer.refused('key_rate')
      refuse(reply, 'key_rate', Math.ceil(ms / 1000))
    })
  })
}
