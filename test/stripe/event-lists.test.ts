import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { webhookEvents } from '../../src/stripe/events.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { json, scriptedServer } from './scripted-server.ts'
import type { ScriptedServer } from './scripted-server.ts'

let server: ScriptedServer | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

interface Listed {
  readonly id: string
  readonly type: string
  readonly created: number
}

/** Stripe's list of events, newest first, with its limit of 20 types. */
function listOf(events: readonly Listed[]) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const query = new URL(request.url ?? '', 'http://stripe').searchParams
    const types = [...query].filter(([name]) => name.startsWith('types')).map(([, type]) => type)
    if (types.length > 20) return json(400, { error: { type: 'invalid_request_error' } })(request, response)
    const newest = events.toReversed()
    const before = query.get('ending_before')
    const after = query.get('starting_after')
    const position = (id: string | null): number => newest.findIndex((event) => event.id === id)
    const wanted = newest
      .filter((_, index) => before === null || index < position(before))
      .filter((_, index) => after === null || index > position(after))
      .filter(({ type }) => types.includes(type))
    const limit = Number(query.get('limit') ?? 10)
    // The page nearest to the cursor.
    const data = before === null ? wanted.slice(0, limit) : wanted.slice(-limit)
    const full = data.map((event) => ({ ...event, object: 'event', livemode: false, data: { object: {} } }))
    return json(200, { object: 'list', data: full, has_more: data.length < wanted.length })(request, response)
  }
}

function gatewayTo(url: string) {
  const gateway = createStripeGateway({ masterKey: 'x'.repeat(32), baseUrl: url, limits: false })
  const apiKeyEncrypted = gateway.encryptSecret('sk_test_x', { appId: 'app_1', field: 'api_key' })
  const none = { webhookSecretEncrypted: null, webhookEndpointId: null, stripeAccountId: null }
  return { gateway, app: { id: 'app_1', livemode: false, apiKeyEncrypted, ...none } }
}

/** Types of both of the lists that the poller asks for, in seconds that hold several events. */
function accountOf(count: number, perSecond: number): readonly Listed[] {
  const types = ['invoice.paid', 'invoice.created', 'credit_note.voided', 'invoice.updated']
  return Array.from({ length: count }, (_, index) => ({
    id: `evt_${index}`,
    type: types[(index * 7 + Math.floor(index / 50)) % (index % 3 === 0 ? 4 : 2)] ?? '',
    created: 1_700_000_000 + Math.floor(index / perSecond),
  }))
}

test('more types are needed than Stripe lists at once', () => {
  expect(webhookEvents.length).toBeGreaterThan(20)
  expect(new Set(webhookEvents).size).toBe(webhookEvents.length)
})

test.each([
  [1000, 3],
  [700, 40],
  [650, 130],
])(
  'rule 30: of %i events, %i a second, none is passed over and seconds come in order',
  async (count, perSecond) => {
    const events = accountOf(count, perSecond)
    server = await scriptedServer(listOf(events))
    const { gateway, app } = gatewayTo(server.url)
    const seen: { id: string; createdMs: number }[] = []
    let afterEventId: string | null = events[0]?.id ?? null
    for (let pages = 0; pages < 100; pages++) {
      const page = await gateway.listEvents(app, { afterEventId })
      if (page.events.length === 0) break
      seen.push(...page.events)
      afterEventId = page.cursor
    }
    const first = [...new Map(seen.map((event) => [event.id, event])).values()]
    expect(first.map(({ id }) => id).toSorted()).toEqual(
      events
        .slice(1)
        .map(({ id }) => id)
        .toSorted(),
    )
    const times = first.map(({ createdMs }) => createdMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect((await gateway.listEvents(app, { afterEventId })).events).toEqual([])
  },
)

test('rule 30: from the beginning, everything that Stripe still has comes once', async () => {
  const events = accountOf(450, 10)
  server = await scriptedServer(listOf(events))
  const { gateway, app } = gatewayTo(server.url)
  const page = await gateway.listEvents(app, { afterEventId: null })
  expect(page.events.map(({ id }) => id).toSorted()).toEqual(events.map(({ id }) => id).toSorted())
  expect(page.cursor).toBe(page.events.at(-1)?.id)
})
