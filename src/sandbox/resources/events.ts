import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import { boolean, isInRange, list, page, required, text, timeRange } from '../params.ts'
import { present } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { EventRecord } from '../records.ts'

const listShape = {
  ...page,
  created: timeRange,
  delivery_success: boolean,
  type: text(),
  types: list(required(text()), 20),
}

/** `invoice.*` takes all types that start so [stripe docs: list all events]. */
function matches(type: string, wanted: string): boolean {
  return wanted.endsWith('*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted
}

/** Whether every delivery of the event has succeeded. */
function isDelivered(ctx: Context, event: EventRecord): boolean {
  return ctx.store.by('deliveries', 'event', event.id).every((delivery) => delivery.state === 'delivered')
}

function listEvents(ctx: Context, values: Values<typeof listShape>): object {
  const { type, types, created, delivery_success: delivered } = values
  if (type && types)
    throw refuse('You may only specify one of these parameters: type, types.', { param: 'type' })
  const wanted = types ?? (type ? [type] : null)
  const filter = (event: EventRecord) =>
    (wanted === null || wanted.some((one) => matches(event.type, one))) &&
    isInRange(event.created, created) &&
    (delivered === undefined || isDelivered(ctx, event) === delivered)
  return listPage(ctx, { table: 'events', kind: 'event', url: '/v1/events', filter }, values)
}

export const eventRoutes = [
  route('GET', '/v1/events', [listShape, listEvents]),
  route('GET', '/v1/events/:id', [
    {},
    (ctx, _values, path) => present(ctx, 'events', requireRecord(ctx, ['events', idOf(path)])),
  ]),
]
