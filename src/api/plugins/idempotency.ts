import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { Transform } from 'node:stream'
import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { DomainError } from '../../domain/errors.ts'
import {
  claimIdempotencyKey,
  completeIdempotencyKey,
  pruneIdempotencyKeys,
  releaseIdempotencyKey,
} from '../../db/stores/idempotency-keys.ts'
import type { HeldKey, StoredAnswer } from '../../db/stores/idempotency-keys.ts'
import type { ApiDeps } from '../deps.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Digest of method, address and raw body; only while an Idempotency-Key is given. */
    fingerprint: Hash | null
    /** The key that this request holds and has to complete or release. */
    heldKey: HeldKey | null
  }
}

const PRUNE_EVERY_MS = 60 * 60_000
const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])
/** Headers that are part of an answer: the counts of stored events are told nowhere else. */
const isKept = (name: string): boolean =>
  ['content-type', 'content-disposition', 'location'].includes(name) || name.startsWith('perennial-')
const KEY_PATTERN = /^[\x21-\x7e]{1,255}$/

/** None on public routes: whoever may write there without a key of ours could fill the table of answers. */
function givenKey(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key']
  if (key === undefined || !WRITES.has(request.method)) return null
  if (request.routeOptions.config.scope === 'public') return null
  if (typeof key === 'string' && KEY_PATTERN.test(key)) return key
  throw new DomainError('validation_failed', 'Idempotency-Key must be 1 to 255 visible ASCII characters.', {
    field: 'Idempotency-Key',
  })
}

function replay(reply: FastifyReply, answer: StoredAnswer): FastifyReply {
  return reply
    .status(answer.status)
    .headers(answer.headers)
    .header('idempotent-replayed', 'true')
    .serializer(String)
    .send(answer.body ?? undefined)
}

/** What says to come again is not kept, so that the caller can. */
const isToRepeat = (status: number): boolean => status === 429 || status >= 500

/**
 * `Idempotency-Key` on every write: the first answer is kept per caller and key, and given again to the same request. An answer of
 * 429 or 5xx is not kept. A claim whose holder crashed expires; one that was slow keeps nothing where another took over.
 */
export function idempotency(deps: ApiDeps) {
  const claim = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const key = givenKey(request)
    if (key === null || request.fingerprint === null) return undefined
    const path = request.url.split('?')[0] ?? request.url
    const bodyHash = request.fingerprint.digest()
    const claim = await claimIdempotencyKey(deps.db, {
      caller: request.caller,
      key,
      method: request.method,
      path,
      bodyHash,
    })
    switch (claim.kind) {
      case 'claimed':
        request.heldKey = { caller: request.caller, key, claimedAt: claim.claimedAt }
        return undefined
      case 'answered':
        return replay(reply, claim.answer)
      case 'in_flight':
        throw new DomainError(
          'idempotency_key_in_use',
          `A request with the Idempotency-Key ${key} is still being worked on; try again shortly.`,
        )
      case 'reused':
        throw new DomainError(
          'idempotency_key_reused',
          `The Idempotency-Key ${key} was sent before with another request; use a new key.`,
        )
    }
  }
  const store = async (held: HeldKey, reply: FastifyReply, payload: unknown): Promise<void> => {
    if (isToRepeat(reply.statusCode)) return releaseIdempotencyKey(deps.db, held)
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (isKept(name) && typeof value === 'string') headers[name] = value
    const body = typeof payload === 'string' ? payload : null
    await completeIdempotencyKey(deps.db, held, { status: reply.statusCode, headers, body })
  }
  const settle = async (request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<void> => {
    const held = request.heldKey
    if (held === null) return
    request.heldKey = null
    try {
      await store(held, reply, payload)
    } catch (error) {
      // What was asked for is done: the caller gets the answer, and the claim expires.
      request.log.error({ err: error }, 'the answer could not be stored under its idempotency key')
    }
  }
  const prune = async (): Promise<void> => {
    try {
      await pruneIdempotencyKeys(deps.db)
    } catch (error) {
      deps.log.warn({ err: error }, 'old idempotency keys could not be removed')
    }
  }
  return fp(async (app) => {
    app.decorateRequest('fingerprint', null)
    app.decorateRequest('heldKey', null)
    app.addHook('preParsing', async (request, _reply, payload) => {
      if (givenKey(request) === null) return payload
      const hash = createHash('sha256').update(`${request.method} ${request.url}\n`)
      request.fingerprint = hash
      const tee = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk)
          done(null, chunk)
        },
      })
      payload.on('error', (error: Error) => tee.destroy(error))
      return payload.pipe(tee)
    })
    app.addHook('preHandler', claim)
    app.addHook('onSend', settle)
    const timer = setInterval(() => void prune(), PRUNE_EVERY_MS).unref()
    app.addHook('onClose', async () => clearInterval(timer))
  })
}
