import { isDeepStrictEqual } from 'node:util'
import type { Context } from './context.ts'
import { timeOf } from './context.ts'
import { newId } from './ids.ts'
import { present } from './present.ts'
import type { EndpointRecord, EventRecord } from './records.ts'
import type { Table, Tables } from './tables.ts'

/** The version whose shapes the sandbox speaks. */
export const API_VERSION = '2026-10-28.endive'

const isHash = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The old values of what changed; of hashes only the members that changed, null where there was none, arrays whole.
 * [stripe docs: event object]
 */
export function previousAttributes(before: object, after: object): Record<string, unknown> {
  const old = before as Readonly<Record<string, unknown>>
  const changed: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(after)) {
    if (isDeepStrictEqual(old[name], value)) continue
    const was = old[name]
    changed[name] = isHash(was) && isHash(value) ? previousAttributes(was, value) : (was ?? null)
  }
  for (const name of Object.keys(old)) if (!Object.hasOwn(after, name)) changed[name] = old[name]
  return changed
}

/** Whether an endpoint has asked for a type of event. */
export function wants(endpoint: EndpointRecord, type: string): boolean {
  const { enabled_events: enabled, status } = endpoint
  return status === 'enabled' && (enabled.includes('*') || enabled.includes(type))
}

interface Emission {
  readonly previous?: object
  readonly clock?: string | null | undefined
}

/** Records an event about an object as it is now, and a delivery to each endpoint that wants it. */
export function emitObject(
  ctx: Context,
  type: string,
  object: object,
  { previous, clock }: Emission = {},
): void {
  const event = ctx.store.put('events', {
    id: newId('evt'),
    object: 'event',
    api_version: API_VERSION,
    created: timeOf(ctx, clock),
    data: { object, ...(previous === undefined ? {} : { previous_attributes: previous }) },
    livemode: false,
    request: ctx.request ?? { id: null, idempotency_key: null },
    type,
    _clock: clock ?? null,
  })
  for (const endpoint of ctx.store.all('endpoints')) {
    if (wants(endpoint, type)) enqueue(ctx, event, endpoint.id)
  }
}

/** Queues one delivery. */
export function enqueue(ctx: Context, event: EventRecord, endpoint: string): void {
  const { id = '' } = event.data.object as { readonly id?: string }
  ctx.store.put('deliveries', {
    id: newId('dlv'),
    event: event.id,
    subject: `${id}|${event.type}`,
    endpoint,
    attempts: 0,
    nextAtMs: ctx.nowMs(),
    state: 'pending',
    held: false,
    tamper: 'none',
    lastStatus: null,
  })
}

const clockOf = (ctx: Context, record: object): string | null => {
  const { test_clock: clock, customer } = record as { test_clock?: string | null; customer?: string | null }
  if (clock !== undefined) return clock
  return typeof customer === 'string' ? (ctx.store.get('customers', customer)?.test_clock ?? null) : null
}

/** Records an event about a record; `customer` is the one it belongs to where it does not say so itself. */
export function emit<T extends Table>(
  ctx: Context,
  type: string,
  [table, record]: readonly [T, Tables[T]],
  customer: string | null = null,
): void {
  const clock = clockOf(ctx, customer === null ? record : { customer })
  emitObject(ctx, type, present(ctx, table, record), { clock })
}

/** Keeps a changed record; if anything visible changed, records `type` with the previous attributes. */
export function update<T extends Table>(
  ctx: Context,
  type: string,
  [table, after]: readonly [T, Tables[T]],
): Tables[T] {
  const stored = ctx.store.get(table, after.id)
  const before = stored === undefined ? {} : present(ctx, table, stored)
  ctx.store.put(table, after)
  return announce(ctx, type, { table, before, after })
}

interface Announcement<T extends Table> {
  readonly table: T
  readonly before: object
  readonly after: Tables[T]
}

/** The same for a record whose presentation changed otherwise, such as an invoice with new lines. */
export function announce<T extends Table>(
  ctx: Context,
  type: string,
  { table, before, after }: Announcement<T>,
): Tables[T] {
  const shown = present(ctx, table, after)
  const previous = previousAttributes(before, shown)
  if (Object.keys(previous).length === 0) return after
  const tells = type.endsWith('.updated') || type.endsWith('.detached')
  emitObject(ctx, type, shown, { ...(tells ? { previous } : {}), clock: clockOf(ctx, after) })
  return after
}
