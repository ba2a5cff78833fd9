import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from './context.ts'
import type { ErrorBody } from './errors.ts'
import { refuse, StripeRefusal } from './errors.ts'
import { expandPaths } from './expand.ts'
import type { Fault, Faults } from './faults.ts'
import { fingerprint, inFlight, savedReply } from './idempotency.ts'
import { newId } from './ids.ts'
import { authenticate, maskKey } from './keys.ts'
import { requirePermission } from './permissions.ts'
import { ACCOUNT_ID } from './resources/account.ts'
import type { Raw, Ready, Route } from './route.ts'
import { createRouter } from './route.ts'
import type { Store } from './store.ts'

/** A request under /v1 with its parameters read from query or form. */
export interface ApiRequest {
  readonly method: string
  readonly path: string
  readonly params: Raw
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface ApiReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Break the connection: before any byte, or in the middle of the body. */
  readonly cut?: 'reset' | 'truncate'
  readonly fault?: string
  readonly replayed?: boolean
}

export interface ApiDeps {
  readonly store: Store
  readonly faults: Faults
  readonly routes: readonly Route[]
  readonly nowMs: () => number
  readonly origin: () => string
  /** Told after every request that may have changed something. */
  readonly changed: () => void
}

/** The reply of what stands in front of an API that is down. */
export const UNAVAILABLE = { status: 503, body: '<html>Service Unavailable</html>' } as const

interface Outcome {
  readonly status: number
  readonly body: string
}

/** What is known of a request beside itself. */
interface Performance {
  readonly requestId: string
  /** Under which its reply is kept. */
  readonly keyed: Keyed | null
  readonly fault: Fault | undefined
  readonly account: string
}

interface Keyed {
  readonly key: string
  /** Of the request, which has to be the same under the same key. */
  readonly print: string
}

const errorOutcome = (status: number, error: ErrorBody): Outcome => ({
  status,
  body: JSON.stringify({ error }),
})
const failure = (message: string): ErrorBody => ({ type: 'api_error', message })

/** The replies of faults that come instead of executing; `saved` ones stay under the idempotency key. */
function insteadOf(
  fault: Fault | undefined,
): { readonly outcome: Outcome; readonly saved: boolean } | undefined {
  switch (fault?.kind) {
    case 'lock_timeout': {
      // Unlike the global limiter this comes from execution, so a key keeps it for a day [github: autumn #3491].
      const error: ErrorBody = {
        type: 'invalid_request_error',
        code: 'lock_timeout',
        message:
          'This object cannot be accessed right now because another API request or Stripe process is currently accessing it.',
      }
      return { outcome: errorOutcome(429, error), saved: true }
    }
    case 'error_before':
      return { outcome: errorOutcome(500, failure('An unknown error occurred.')), saved: true }
    case 'conflict':
      return { outcome: errorOutcome(409, inFlight('(injected)').body), saved: false }
    default:
      return undefined
  }
}

function execute(ctx: Context, ready: Ready, path: readonly string[]): Outcome {
  try {
    const body = ready.run(ctx, path)
    return { status: 200, body: JSON.stringify(expandPaths(ctx, body, ready.expand)) }
  } catch (error) {
    if (error instanceof StripeRefusal && error.keepsChanges) return errorOutcome(error.status, error.body)
    throw error
  }
}

/** The API: authentication, faults, idempotency, validation, execution in one transaction, expansion. */
export function createApi(deps: ApiDeps): (request: ApiRequest) => Promise<ApiReply> {
  const { store, faults, nowMs } = deps
  const find = createRouter(deps.routes)
  const executing = new Set<string>()

  /** The account of the request's key, which must be valid and allowed to do this. */
  const authorize = (request: ApiRequest): string => {
    const authorization = headerOf(request, 'authorization') ?? ''
    const key = authenticate(authorization, (id) => store.get('keys', id)?.revoked ?? null)
    const record = store.get('keys', key)
    const account = record?.account ?? ACCOUNT_ID
    const pattern = find(request.method, request.path)?.route.pattern
    const called = { method: request.method, expand: request.params['expand'] }
    if (pattern !== undefined) requirePermission(record, [maskKey(key), account], { ...called, pattern })
    return account
  }

  const perform = (request: ApiRequest, { requestId, keyed, fault, account }: Performance): Outcome => {
    const match = find(request.method, request.path)
    if (match === undefined) {
      throw refuse(
        `Unrecognized request URL (${request.method}: ${request.path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.`,
        { status: 404 },
      )
    }
    const ready = match.route.read(request.params)
    const ctx: Context = {
      store,
      nowMs,
      origin: deps.origin(),
      request: { id: requestId, idempotency_key: keyed?.key ?? null },
      account,
    }
    const save = ({ status, body }: Outcome) => {
      if (keyed === null) return
      const { key, print } = keyed
      store.put('idempotency', { id: key, fingerprint: print, status, body, requestId, savedMs: nowMs() })
    }
    const replaced = insteadOf(fault)
    if (replaced !== undefined) {
      if (replaced.saved) store.transact(() => save(replaced.outcome))
      return replaced.outcome
    }
    try {
      return store.transact(() => {
        const done = execute(ctx, ready, match.path)
        const shown =
          fault?.kind === 'error_after' ? errorOutcome(500, failure('An unknown error occurred.')) : done
        save(shown)
        return shown
      })
    } catch (error) {
      // A refusal by the endpoint itself is saved under the key too; only validation is not.
      if (!(error instanceof StripeRefusal)) throw error
      const refused = errorOutcome(error.status, error.body)
      store.transact(() => save(refused))
      return refused
    }
  }

  const replyTo = async (request: ApiRequest, requestId: string): Promise<ApiReply> => {
    const headers = {
      'request-id': requestId,
      'content-type': 'application/json',
      'stripe-version': versionOf(request),
    }
    // What is down does not look at keys any more.
    const isSpared = headerOf(request, 'sandbox-faults') === 'none'
    const fault = isSpared ? undefined : faults.take(request.method, request.path)
    if (fault?.kind === 'unavailable')
      return { ...UNAVAILABLE, headers: { ...headers, 'content-type': 'text/html' }, fault: fault.kind }
    const account = authorize(request)
    const marked = fault === undefined ? {} : { fault: fault.kind }
    if (fault?.kind === 'reset_before') return { status: 0, headers, body: '', cut: 'reset', ...marked }
    if (fault?.kind === 'rate_limit') {
      const error: ErrorBody = {
        type: 'invalid_request_error',
        code: 'rate_limit',
        message:
          'Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.',
      }
      return {
        ...errorOutcome(429, error),
        headers: { ...headers, 'stripe-rate-limited-reason': 'global-rate' },
        ...marked,
      }
    }
    const key = request.method === 'POST' ? headerOf(request, 'idempotency-key') : null
    if (key !== null && key.length > 255) throw refuse('Idempotency keys can be at most 255 characters.', {})
    if (key !== null && executing.has(key)) throw inFlight(key)
    const keyed =
      key === null ? null : { key, print: fingerprint(request.method, request.path, request.params) }
    const saved = keyed === null ? undefined : savedReply(store, keyed.key, [keyed.print, nowMs()])
    if (saved !== undefined) {
      const replayed = { ...headers, 'idempotent-replayed': 'true', 'original-request': saved.requestId }
      return { status: saved.status, body: saved.body, headers: replayed, replayed: true, ...marked }
    }
    if (key !== null) executing.add(key)
    try {
      if (fault?.kind === 'latency') await sleep(fault.latencyMs ?? 1000)
      if (fault?.kind === 'hold') await faults.cleared(fault.id)
      const outcome = perform(request, { requestId, keyed, fault, account })
      deps.changed()
      if (fault?.kind === 'latency_after') await sleep(fault.latencyMs ?? 1000)
      if (fault?.kind === 'hold_after') await faults.cleared(fault.id)
      const cut =
        fault?.kind === 'reset_after' ? 'reset' : fault?.kind === 'truncate_after' ? 'truncate' : undefined
      const named = key === null ? {} : { 'idempotency-key': key, 'original-request': requestId }
      return {
        ...outcome,
        headers: { ...headers, ...named },
        ...(cut === undefined ? {} : { cut }),
        ...marked,
      }
    } finally {
      if (key !== null) executing.delete(key)
    }
  }

  return async (request) => {
    const requestId = newId('req')
    try {
      return await replyTo(request, requestId)
    } catch (error) {
      const headers = { 'request-id': requestId, 'content-type': 'application/json' }
      if (error instanceof StripeRefusal) return { ...errorOutcome(error.status, error.body), headers }
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      return {
        ...errorOutcome(500, failure(`The sandbox failed: ${message}`)),
        headers: { ...headers, 'stripe-should-retry': 'false' },
      }
    }
  }
}

function headerOf(request: ApiRequest, name: string): string | null {
  const value = request.headers[name]
  return typeof value === 'string' && value !== '' ? value : null
}

function versionOf(request: ApiRequest): string {
  return headerOf(request, 'stripe-version') ?? '2026-10-28.endive'
}
