import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FaultRule } from '../faults.ts'
import { faultKinds } from '../faults.ts'
import { readBody, sendJson } from '../http.ts'
import { completeAuthentication } from '../invoices/collect.ts'
import type { ActiveRule, WebhookRule } from '../webhook-rules.ts'
import { webhookActions } from '../webhook-rules.ts'
import { completeSetupAuthentication } from '../setup.ts'
import { tableNames } from '../tables.ts'
import type { SetupIntentRecord } from '../records.ts'
import type { Call, ControlDeps, Handler } from './call.ts'
import { asRecord, BadCall } from './call.ts'
import { disputeHandlers } from './disputes.ts'
import { keyHandlers } from './keys.ts'
import { paymentHandlers } from './payments.ts'
import { settledState } from './settled.ts'
import { taxHandlers } from './tax.ts'

function addFault(deps: ControlDeps, { body }: Call): unknown {
  const { kind } = asRecord(body)
  if (!faultKinds.some((known) => known === kind))
    throw new BadCall(`kind must be one of ${faultKinds.join(', ')}`)
  return deps.faults.add(body as FaultRule)
}

function addRule(deps: ControlDeps, { body }: Call): ActiveRule {
  const { action } = asRecord(body)
  if (!webhookActions.some((known) => known === action))
    throw new BadCall(`action must be one of ${webhookActions.join(', ')}`)
  return deps.rules.add(body as WebhookRule)
}

function requestsOf(deps: ControlDeps, { query }: Call): unknown {
  const since = Number(query.get('after') ?? 0)
  const path = query.get('path')
  const method = query.get('method')
  const pattern = path === null ? null : new RegExp(path)
  const found = deps.log
    .list()
    .filter(
      (r) =>
        r.sequence > since &&
        (pattern === null || pattern.test(r.path)) &&
        (method === null || r.method === method),
    )
  return { requests: found }
}

function dump(deps: ControlDeps, { query }: Call): unknown {
  const { store } = deps.context()
  const wanted = query.get('table')
  if (wanted !== null) {
    const table = tableNames.find((name) => name === wanted)
    if (table === undefined) throw new BadCall(`table must be one of ${tableNames.join(', ')}`)
    return { [table]: [...store.all(table)] }
  }
  const tables: Record<string, object[]> = {}
  for (const [table, , record] of store.dump()) if (record !== null) (tables[table] ??= []).push(record)
  return tables
}

function authenticateSetup(deps: ControlDeps, setup: SetupIntentRecord, body: unknown): unknown {
  const ctx = deps.context()
  const succeeds = asRecord(body ?? {})['outcome'] !== 'fail'
  const after = ctx.store.transact(() => completeSetupAuthentication(ctx, setup, succeeds))
  deps.changed()
  if (after === null) throw new BadCall(`the setup intent is ${setup.status}, not requires_action`)
  return { setup_intent: after.id, status: after.status }
}

function authenticate(deps: ControlDeps, { rest, body }: Call): unknown {
  const ctx = deps.context()
  const setup = ctx.store.get('setupIntents', rest)
  if (setup !== undefined) return authenticateSetup(deps, setup, body)
  const intent = ctx.store.get('paymentIntents', rest)
  if (intent === undefined) throw new BadCall(`no payment intent ${rest}`)
  const succeeds = asRecord(body ?? {})['outcome'] !== 'fail'
  const attempt = ctx.store.transact(() => completeAuthentication(ctx, intent, succeeds))
  deps.changed()
  if (attempt === null) throw new BadCall(`the payment intent is ${intent.status}, not requires_action`)
  return { invoice: attempt.invoice.id, status: attempt.invoice.status }
}

function resend(deps: ControlDeps, { rest }: Call): unknown {
  const ctx = deps.context()
  const event = ctx.store.get('events', rest)
  if (event === undefined) throw new BadCall(`no event ${rest}`)
  const deliveries = ctx.store.by('deliveries', 'event', rest)
  ctx.store.transact(() => {
    for (const d of deliveries)
      ctx.store.put('deliveries', { ...d, state: 'pending', attempts: 0, nextAtMs: ctx.nowMs(), held: false })
  })
  deps.changed()
  return { deliveries: deliveries.length }
}

const table: Readonly<Record<string, Handler>> = {
  'GET /': () => ({ sandbox: 'stripe', see: 'docs/sandbox.md' }),
  'GET /requests': requestsOf,
  'DELETE /requests': (deps) => (deps.log.clear(), {}),
  'GET /dump': dump,
  'POST /reset': (deps) => (deps.reset(), {}),
  'GET /settled': (deps, { query }) => settledState(deps, query.get('test_clock')),
  'GET /faults': (deps) => ({ faults: deps.faults.list() }),
  'POST /faults': addFault,
  'DELETE /faults': (deps) => (deps.faults.clear(), {}),
  'DELETE /faults/': (deps, { rest }) => (deps.faults.clear(rest), {}),
  'GET /webhooks/rules': (deps) => ({ rules: deps.rules.list() }),
  'POST /webhooks/rules': addRule,
  'DELETE /webhooks/rules': (deps) => (deps.rules.clear(), {}),
  'DELETE /webhooks/rules/': (deps, { rest }) => (deps.rules.clear(rest), {}),
  'POST /webhooks/hold': (deps) => (deps.deliverer.hold(), {}),
  'POST /webhooks/release': (deps) => (deps.deliverer.release(), {}),
  'POST /webhooks/resend/': resend,
  'GET /webhooks/deliveries': (deps) => ({ deliveries: [...deps.context().store.all('deliveries')] }),
  'POST /authenticate/': authenticate,
  ...disputeHandlers,
  ...keyHandlers,
  ...paymentHandlers,
  ...taxHandlers,
}

function find(method: string, path: string): readonly [Handler, string] | undefined {
  const exact = table[`${method} ${path}`]
  if (exact !== undefined) return [exact, '']
  // An id is the last segment, or stands before an action: /disputes/<id>/close.
  const [, area, id = '', action] = path.split('/')
  const acting = action === undefined ? undefined : table[`${method} /${area}/*/${action}`]
  if (acting !== undefined) return [acting, id]
  const slash = path.lastIndexOf('/')
  const prefixed = table[`${method} ${path.slice(0, slash + 1)}`]
  return prefixed === undefined ? undefined : [prefixed, path.slice(slash + 1)]
}

/** Everything under /_sandbox: JSON in, JSON out, no key needed. */
export async function control(
  deps: ControlDeps,
  request: IncomingMessage,
  [response, url]: readonly [ServerResponse, URL],
): Promise<void> {
  const path = url.pathname.slice('/_sandbox'.length) || '/'
  const found = find(request.method ?? 'GET', path)
  if (found === undefined) return sendJson(response, 404, { error: `no control ${request.method} ${path}` })
  const [handler, rest] = found
  try {
    const text = await readBody(request)
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    sendJson(response, 200, handler(deps, { query: url.searchParams, body, rest }))
  } catch (error) {
    if (!(error instanceof BadCall) && !(error instanceof SyntaxError)) throw error
    sendJson(response, 400, { error: error.message })
  }
}
