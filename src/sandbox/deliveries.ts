import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Context } from './context.ts'
import { API_VERSION, enqueue } from './events.ts'
import { newId } from './ids.ts'
import { present } from './present.ts'
import { signatureHeader } from './signing.ts'
import type { DeliveryRecord, EndpointRecord, EventRecord } from './records.ts'
import { eventAt } from './versions.ts'
import type { ActiveRule, WebhookRules } from './webhook-rules.ts'

/** Stripe's hours, scaled down so that a developer sees a retry happen; about six hours in all. */
const retryAfterMs = [200, 1000, 5000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 7_200_000]
const CONCURRENCY = 8
const TIMEOUT_MS = 10_000

/** Sends what is due; each endpoint's deliveries start in order of creation, but arrive as they will. */
export interface Deliverer {
  readonly kick: () => void
  /** Stops everything at once: nothing is sent until `release`. */
  readonly hold: () => void
  readonly release: () => void
  readonly isHolding: () => boolean
  /** The deliveries that are under way: sent, and not answered. */
  readonly flying: () => readonly string[]
  readonly close: () => Promise<void>
}

interface Deps {
  readonly context: () => Context
  readonly rules: WebhookRules
  readonly log: (message: string) => void
}

/** What is sent: the event as it is, in the endpoint's own version. */
function payloadOf(ctx: Context, event: EventRecord, endpoint: EndpointRecord): string {
  const shown = { ...present(ctx, 'events', event), data: event.data }
  const version = endpoint.api_version ?? event.api_version ?? API_VERSION
  return JSON.stringify(eventAt(ctx, shown, version), null, 2)
}

async function post(
  endpoint: EndpointRecord,
  payload: string,
  tamper: DeliveryRecord['tamper'],
): Promise<number> {
  const now = Math.floor(Date.now() / 1000)
  const secrets = [endpoint._secret, ...(endpoint._previousSecret === null ? [] : [endpoint._previousSecret])]
  const signing = tamper === 'wrong_signature' ? ['whsec_wrong'] : secrets
  const timestamp = tamper === 'old_timestamp' ? now - 3600 : now
  try {
    return await statusOf(endpoint.url, payload, {
      'content-type': 'application/json; charset=utf-8',
      'stripe-signature': signatureHeader(payload, signing, timestamp),
      'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
    })
  } catch {
    return 0
  }
}

const agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) }

/**
 * The answer's status; 0 without one in time. Not by `fetch`, which costs several times as much: a sandbox delivers three for
 * each invoice. A redirect is not followed and counts as a failure [stripe docs: webhooks].
 */
async function statusOf(
  url: string,
  payload: string,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  return await new Promise((resolve) => {
    const isSecure = url.startsWith('https:')
    const options = {
      method: 'POST',
      agent: isSecure ? agents.https : agents.http,
      headers: { ...headers, 'content-length': String(Buffer.byteLength(payload)) },
    }
    const request = (isSecure ? httpsRequest : httpRequest)(url, options)
    const timer = setTimeout(() => request.destroy(), TIMEOUT_MS)
    const end = (status: number): void => {
      clearTimeout(timer)
      resolve(status)
    }
    request.on('error', () => end(0))
    request.on('response', (response) => {
      response.on('close', () => end(response.complete ? (response.statusCode ?? 0) : 0))
      response.on('error', () => end(0))
      response.resume()
    })
    request.end(payload)
  })
}

export function createDeliverer({ context, rules, log }: Deps): Deliverer {
  const ctx = context()
  const { store } = ctx
  const looked = new Set<string>()
  const flying = new Map<string, { readonly endpoint: string; readonly flight: Promise<void> }>()
  const collected = new Map<string, string[]>()
  /** Which delivery goes out once another has arrived. */
  const follows = new Map<string, string>()
  let timer: NodeJS.Timeout | undefined
  let scheduled = false
  let holding = false
  let closed = false

  const change = (delivery: DeliveryRecord, patch: Partial<DeliveryRecord>) =>
    store.transact(() => {
      const current = store.get('deliveries', delivery.id)
      return current === undefined ? undefined : store.put('deliveries', { ...current, ...patch })
    })

  const duplicate = (delivery: DeliveryRecord, event: EventRecord, isNew: boolean) =>
    store.transact(() => {
      const copy = isNew ? store.put('events', { ...event, id: newId('evt') }) : event
      enqueue(ctx, copy, delivery.endpoint)
      // The copy is not looked at by the rules again.
      for (const made of store.by('deliveries', 'event', copy.id)) looked.add(made.id)
    })

  /** Collects until there are enough, then lets them out backwards, each after the one before it was answered. */
  const reorder = (delivery: DeliveryRecord, rule: ActiveRule) => {
    const ids = [...(collected.get(rule.id) ?? []), delivery.id]
    collected.set(rule.id, ids)
    change(delivery, { held: true })
    if (ids.length < (rule.count ?? 2)) return
    collected.delete(rule.id)
    for (const [index, id] of ids.entries()) {
      const before = ids[index + 1]
      if (before === undefined) letOut(id)
      else follows.set(before, id)
    }
  }

  const letOut = (id: string | undefined) => {
    const held = id === undefined ? undefined : store.get('deliveries', id)
    if (held?.state === 'pending') change(held, { held: false, nextAtMs: ctx.nowMs() })
  }

  const applyRule = (delivery: DeliveryRecord, event: EventRecord) => {
    if (looked.has(delivery.id)) return
    looked.add(delivery.id)
    const rule = delivery.attempts > 0 ? undefined : rules.take(event.type, delivery.endpoint)
    switch (rule?.action) {
      case undefined:
        return
      case 'drop':
        return change(delivery, { state: 'dropped' })
      case 'delay':
        return change(delivery, { nextAtMs: ctx.nowMs() + (rule.delayMs ?? 1000) })
      case 'hold':
        return change(delivery, { held: true })
      case 'duplicate':
      case 'duplicate_new_id':
        return duplicate(delivery, event, rule.action === 'duplicate_new_id')
      case 'reorder':
        return reorder(delivery, rule)
      case 'wrong_signature':
      case 'old_timestamp':
        return change(delivery, { tamper: rule.action })
    }
  }

  const attempt = async (delivery: DeliveryRecord, endpoint: EndpointRecord, event: EventRecord) => {
    const status = await post(endpoint, payloadOf(ctx, event, endpoint), delivery.tamper)
    if (closed && status === 0) return
    const attempts = delivery.attempts + 1
    const isDelivered = status >= 200 && status < 300
    const wait = retryAfterMs[attempts - 1]
    const state = isDelivered ? 'delivered' : wait === undefined ? 'failed' : 'pending'
    if (!isDelivered)
      log(
        `webhook ${event.type} to ${endpoint.url}: ${status === 0 ? 'no answer' : status}, attempt ${attempts}`,
      )
    const current = store.get('deliveries', delivery.id)
    // Dropped meanwhile: its endpoint was disabled or deleted.
    if (current?.state !== 'pending') return
    change(delivery, {
      attempts,
      lastStatus: status,
      state,
      tamper: 'none',
      nextAtMs: ctx.nowMs() + (wait ?? 0),
    })
  }

  const isDue = (delivery: DeliveryRecord) =>
    !delivery.held && delivery.nextAtMs <= ctx.nowMs() && !flying.has(delivery.id)

  /** Whether it is on its way now: a rule may say otherwise. */
  const launch = (delivery: DeliveryRecord, endpoint: EndpointRecord): boolean => {
    const event = store.get('events', delivery.event)
    if (event === undefined) return false
    applyRule(delivery, event)
    const current = store.get('deliveries', delivery.id)
    if (current === undefined || current.state !== 'pending' || !isDue(current)) return false
    const flight = attempt(current, endpoint, event).finally(() => {
      flying.delete(delivery.id)
      letOut(follows.get(delivery.id))
      follows.delete(delivery.id)
      kick()
    })
    flying.set(delivery.id, { endpoint: endpoint.id, flight })
    return true
  }

  /** Sends what is due as long as there is room; when there is some left, answers when the next is due. */
  const launchDue = (endpoint: EndpointRecord): number => {
    let room = CONCURRENCY
    for (const flight of flying.values()) if (flight.endpoint === endpoint.id) room -= 1
    let next = Infinity
    // One by one: a thousand may wait, and this is asked again with each that arrives.
    for (const delivery of store.eachBy('deliveries', 'pending', endpoint.id)) {
      if (room <= 0) return Infinity
      if (isDue(delivery) && launch(delivery, endpoint)) room -= 1
      const now = store.get('deliveries', delivery.id)
      if (now?.state === 'pending' && !now.held && !flying.has(now.id)) next = Math.min(next, now.nextAtMs)
    }
    return next
  }

  const pass = () => {
    scheduled = false
    if (closed || holding) return
    let next = Infinity
    for (const endpoint of store.all('endpoints')) next = Math.min(next, launchDue(endpoint))
    clearTimeout(timer)
    if (next < Infinity) timer = setTimeout(kick, Math.max(10, next - ctx.nowMs()))
  }

  const kick = () => {
    if (scheduled || closed) return
    scheduled = true
    setImmediate(pass)
  }

  return {
    kick,
    hold: () => {
      holding = true
    },
    release: () => {
      holding = false
      for (const delivery of store.all('deliveries')) {
        if (delivery.held && delivery.state === 'pending') change(delivery, { held: false })
      }
      collected.clear()
      follows.clear()
      kick()
    },
    isHolding: () => holding,
    flying: () => [...flying.keys()],
    close: async () => {
      closed = true
      clearTimeout(timer)
      const landed = Promise.all([...flying.values()].map(({ flight }) => flight))
      await Promise.race([landed, new Promise((resolve) => setTimeout(resolve, 500))])
    },
  }
}
