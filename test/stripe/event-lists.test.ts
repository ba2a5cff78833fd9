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

interface Reader {
  readonly gateway: ReturnType<typeof gatewayTo>['gateway']
  readonly app: ReturnType<typeof gatewayTo>['app']
}

/** The ids of all that comes after an event, page by page. */
async function readAfter({ gateway, app }: Reader, after: string | null): Promise<readonly string[]> {
  const seen: string[] = []
  let cursor = after
  for (let pages = 0; pages < 100; pages++) {
    const page = await gateway.listEvents(app, { cursor })
    if (page.events.length === 0) {
      expect(page.cursor).toBe(cursor)
      return seen
    }
    seen.push(...page.events.map(({ id }) => id))
    cursor = page.cursor
  }
  throw new Error('there is always another page')
}

const idsOf = (events: readonly Listed[]): readonly string[] => events.map(({ id }) => id).toSorted()

test.each([
  [1000, 3],
  [700, 40],
  [650, 130],
])('rule 30: of %i events, %i a second, each comes once', async (count, perSecond) => {
  const events = accountOf(count, perSecond)
  server = await scriptedServer(listOf(events))
  const seen = await readAfter(gatewayTo(server.url), 'evt_0')
  expect(seen.toSorted()).toEqual(idsOf(events.slice(1)))
})

test('rule 30: events of test clocks, whose time is another, are not passed over', async () => {
  const events = accountOf(450, 10).map((event, index) =>
    index % 2 === 0 ? event : { ...event, created: event.created + 90_000_000 },
  )
  server = await scriptedServer(listOf(events))
  const seen = await readAfter(gatewayTo(server.url), 'evt_0')
  expect(seen.toSorted()).toEqual(idsOf(events.slice(1)))
})

test('rule 30: what comes between one list of types and the other is in the next page', async () => {
  const events = accountOf(1, 1)
  const coming = [
    { id: 'evt_first', type: 'invoice.paid', created: 1_700_000_010 },
    { id: 'evt_second', type: 'credit_note.voided', created: 1_700_000_011 },
  ]
  server = await scriptedServer((request, response) => {
    // Both come after one list was read, and before the other is.
    const isLater = decodeURIComponent(request.url ?? '').includes('credit_note.voided')
    return listOf(isLater ? [...events, ...coming] : events)(request, response)
  })
  const reader = gatewayTo(server.url)
  const first = await reader.gateway.listEvents(reader.app, { cursor: 'evt_0' })
  expect(first.events.map(({ id }) => id)).toEqual(['evt_second'])
  await server.close()
  server = await scriptedServer(listOf([...events, ...coming]))
  expect(await readAfter(gatewayTo(server.url), first.cursor)).toEqual(['evt_first'])
})

test('rule 30: from the beginning, everything that Stripe still has comes once', async () => {
  const events = accountOf(450, 10)
  server = await scriptedServer(listOf(events))
  const { gateway, app } = gatewayTo(server.url)
  const page = await gateway.listEvents(app, { cursor: null })
  expect(page.events.map(({ id }) => id).toSorted()).toEqual(events.map(({ id }) => id).toSorted())
  expect((await gateway.listEvents(app, { cursor: page.cursor })).events).toEqual([])
})
