import { createHash } from 'node:crypto'
import { Stripe } from 'stripe'
import { DomainError } from '../domain/errors.ts'
import { createExpansion } from './expanding.ts'
import type { Expansion } from './expanding.ts'
import { classifyStripeError, toStripeFailure } from './failures.ts'
import type { Limiter } from './limiter.ts'
import { refusedPermission } from './permissions.ts'
import type { SecretBox } from './secrets.ts'
import type { ClassifiedFailure, KeyWatch, StoredApp, StripeObserver } from './types.ts'

/** A client of one account. Every request passes through `call`, which limits its rate and classifies its failure. */
export interface Connection {
  readonly call: <T>(endpoint: string, request: (stripe: Stripe) => Promise<T>) => Promise<T>
  readonly expansion: Expansion
}

export interface Connections {
  readonly ofApp: (app: StoredApp) => Connection
  readonly ofKey: (key: string) => Connection
}

export interface ConnectionOptions {
  readonly baseUrl?: string
  readonly timeoutMs: number
  readonly limiter: Limiter
  readonly secrets: SecretBox
  readonly keyWatch?: KeyWatch
  readonly observer?: StripeObserver
}

/** Connections kept open; the oldest makes room. */
const maxConnections = 200

export function createConnections(options: ConnectionOptions): Connections {
  const byKey = new Map<string, Connection>()
  const ofKey = (key: string): Connection => {
    const account = createHash('sha256').update(key).digest('hex')
    const existing = byKey.get(account)
    if (existing !== undefined) return existing
    const oldest = byKey.keys().next().value
    if (byKey.size >= maxConnections && oldest !== undefined) byKey.delete(oldest)
    const connection = connect(key, account, options)
    byKey.set(account, connection)
    return connection
  }
  const watched = watching(options.keyWatch)
  return { ofKey, ofApp: (app) => watched(app, ofKey(openKey(app, options.secrets))) }
}

/** Tells when Stripe refuses the key of an app, and when it takes it again. */
function watching(watch: KeyWatch | undefined) {
  const refused = new Set<string>()
  return (app: StoredApp, connection: Connection): Connection => {
    if (watch === undefined) return connection
    return {
      ...connection,
      async call(endpoint, request) {
        try {
          const reply = await connection.call(endpoint, request)
          if (refused.delete(app.id) && !(await watch.accepted(app))) refused.add(app.id)
          return reply
        } catch (error) {
          const failure = classifyStripeError(error)
          if (failure.kind === 'auth' && refusedPermission(failure) === null) {
            refused.add(app.id)
            await watch.refused(app, failure.message)
          }
          throw error
        }
      },
    }
  }
}

function openKey(app: StoredApp, secrets: SecretBox): string {
  if (app.apiKeyEncrypted === null) {
    throw new DomainError('stripe_key_missing', `app ${app.id} has no Stripe key`)
  }
  return secrets.open(app.apiKeyEncrypted, { appId: app.id, field: 'api_key' })
}

function connect(key: string, account: string, options: ConnectionOptions): Connection {
  const stripe = new Stripe(key, {
    // Temporal retries, with our idempotency keys; the client's own retries would hide time and outcomes.
    maxNetworkRetries: 0,
    timeout: options.timeoutMs,
    telemetry: false,
    appInfo: { name: 'perennial' },
    ...address(options.baseUrl),
  })
  const livemode = /^[a-z]+_live_/.test(key)
  return {
    expansion: createExpansion(),
    async call(endpoint, request) {
      const asked = performance.now()
      await options.limiter.admit({ account, livemode, endpoint })
      const begun = performance.now()
      options.observer?.waited((begun - asked) / 1000)
      const told = (outcome: Outcome): void =>
        options.observer?.called({ endpoint, outcome, seconds: (performance.now() - begun) / 1000 })
      try {
        const reply = await request(stripe)
        told('ok')
        return reply
      } catch (error) {
        told(outcomeOf(classifyStripeError(error)))
        throw toStripeFailure(error)
      }
    },
  }
}

type Outcome = Parameters<StripeObserver['called']>[0]['outcome']

const outcomeOf = ({ kind, code }: ClassifiedFailure): Outcome =>
  code === 'rate_limit' || code === 'lock_timeout' ? 'rate_limited' : kind

function address(baseUrl: string | undefined): Stripe.StripeConfig {
  if (baseUrl === undefined) return {}
  const url = new URL(baseUrl)
  const protocol = url.protocol === 'https:' ? 'https' : 'http'
  return { protocol, host: url.hostname, port: url.port || (protocol === 'https' ? 443 : 80) }
}
