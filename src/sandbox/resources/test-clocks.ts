import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { emitObject } from '../events.ts'
import { newId } from '../ids.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import { integer, page, required, text } from '../params.ts'
import { strip } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { ClockRecord } from '../records.ts'
import { deleteCustomer } from './customers.ts'

const DAY = 86_400
const createShape = { frozen_time: required(integer(0)), name: text(300) }
const clockAt = (ctx: Context, path: readonly string[]) => requireRecord(ctx, ['clocks', idOf(path)])

function create(ctx: Context, values: Values<typeof createShape>): object {
  const created = Math.floor(ctx.nowMs() / 1000)
  const clock: ClockRecord = {
    id: newId('clock'),
    object: 'test_helpers.test_clock',
    created,
    deletes_after: created + 30 * DAY,
    frozen_time: values.frozen_time,
    livemode: false,
    name: values.name ?? null,
    status: 'ready',
    status_details: {},
    _target: null,
  }
  ctx.store.put('clocks', clock)
  emitObject(ctx, 'test_helpers.test_clock.created', strip(clock), { clock: clock.id })
  return strip(clock)
}

/** Answers `advancing` at once and becomes `ready` when everything due has happened [stripe docs: test clocks]. */
function advance(
  ctx: Context,
  { frozen_time: target }: { readonly frozen_time: number },
  path: readonly string[],
): object {
  const clock = clockAt(ctx, path)
  if (clock.status !== 'ready') {
    throw refuse('Test clock advancement underway - cannot perform modifications', {
      code: 'test_clock_advancing',
    })
  }
  if (target <= clock.frozen_time) {
    throw refuse('The specified frozen time cannot be before or equal to the current frozen time.', {
      param: 'frozen_time',
    })
  }
  const details = { advancing: { target_frozen_time: target } }
  const advancing = ctx.store.put('clocks', {
    ...clock,
    status: 'advancing',
    status_details: details,
    _target: target,
  })
  emitObject(ctx, 'test_helpers.test_clock.advancing', strip(advancing), { clock: clock.id })
  return strip(advancing)
}

/** Its customers go with it [stripe docs: test clocks]. */
function remove(ctx: Context, _values: object, path: readonly string[]): object {
  const clock = clockAt(ctx, path)
  for (const customer of ctx.store.by('customers', 'clock', clock.id))
    if (!customer._deleted) deleteCustomer(ctx, customer)
  for (const invoice of ctx.store.by('invoices', 'due', clock.id))
    ctx.store.put('invoices', { ...invoice, _dueAt: null })
  for (const subscription of ctx.store.by('subscriptions', 'due', clock.id))
    ctx.store.put('subscriptions', { ...subscription, _dueAt: null })
  emitObject(ctx, 'test_helpers.test_clock.deleted', strip(clock), { clock: clock.id })
  ctx.store.remove('clocks', clock.id)
  return { id: clock.id, object: 'test_helpers.test_clock', deleted: true }
}

const base = '/v1/test_helpers/test_clocks'

export const clockRoutes = [
  route('POST', base, [createShape, create]),
  route('GET', base, [
    page,
    (ctx, values) =>
      listPage(ctx, { table: 'clocks', kind: 'test clock', url: base, filter: () => true }, values),
  ]),
  route('GET', `${base}/:id`, [{}, (ctx, _values, path) => strip(clockAt(ctx, path))]),
  route('POST', `${base}/:id/advance`, [{ frozen_time: required(integer(0)) }, advance]),
  route('DELETE', `${base}/:id`, [{}, remove]),
]
