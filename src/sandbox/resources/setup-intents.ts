import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { emit } from '../events.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import {
  boolean,
  hash,
  isInRange,
  mergeMetadata,
  metadata,
  oneOf,
  page,
  required,
  text,
  timeRange,
  unbuilt,
} from '../params.ts'
import { strip } from '../present.ts'
import { requireCustomer, requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import { confirmSetup, createSetup } from '../setup.ts'
import type { SetupIntentRecord } from '../records.ts'
import { resolveMethod } from './payment-methods.ts'

const automatic = hash({ enabled: required(boolean), allow_redirects: oneOf('always', 'never') })
const common = { customer: text(), description: text(1000), metadata, payment_method: text() }
const createShape = {
  ...common,
  usage: oneOf('off_session', 'on_session'),
  automatic_payment_methods: automatic,
  confirm: boolean,
  return_url: text(),
  attach_to_self: unbuilt,
  payment_method_data: unbuilt,
}
const confirmShape = { payment_method: text(), return_url: text() }
const setupAt = (ctx: Context, path: readonly string[]) => requireRecord(ctx, ['setupIntents', idOf(path)])

function confirm(
  ctx: Context,
  intent: SetupIntentRecord,
  methodId: string | null | undefined,
): SetupIntentRecord {
  const isOpen = intent.status === 'requires_payment_method' || intent.status === 'requires_confirmation'
  if (!isOpen) throw unexpected(intent)
  const id = methodId ?? intent.payment_method
  if (!id)
    throw refuse("You cannot confirm this SetupIntent because it's missing a payment method.", {
      code: 'setup_intent_unexpected_state',
    })
  return confirmSetup(ctx, intent, resolveMethod(ctx, id, 'payment_method'))
}

function unexpected(intent: SetupIntentRecord): Error {
  return refuse(
    `You cannot perform this action on this SetupIntent because it has a status of ${intent.status}.`,
    {
      code: 'setup_intent_unexpected_state',
    },
  )
}

function create(ctx: Context, values: Values<typeof createShape>): object {
  const { customer, usage, description, payment_method: method } = values
  if (customer) requireCustomer(ctx, customer, 'customer')
  const made = createSetup(ctx, {
    customer: customer ?? null,
    metadata: mergeMetadata({}, values.metadata),
    description: description ?? null,
    ...(usage === undefined ? {} : { usage }),
  })
  if (values.confirm === true) return strip(confirm(ctx, made, method))
  if (!method) return strip(made)
  const { id } = resolveMethod(ctx, method, 'payment_method')
  return strip(
    ctx.store.put('setupIntents', { ...made, payment_method: id, status: 'requires_confirmation' }),
  )
}

function edit(ctx: Context, values: Values<typeof common>, path: readonly string[]): object {
  const intent = setupAt(ctx, path)
  const method = values.payment_method
    ? resolveMethod(ctx, values.payment_method, 'payment_method').id
    : intent.payment_method
  const waits = intent.status === 'requires_payment_method' && method !== null
  return strip(
    ctx.store.put('setupIntents', {
      ...intent,
      ...(values.customer === undefined ? {} : { customer: values.customer }),
      ...(values.description === undefined ? {} : { description: values.description }),
      payment_method: method,
      status: waits ? 'requires_confirmation' : intent.status,
      metadata: mergeMetadata(intent.metadata ?? {}, values.metadata),
    }),
  )
}

function cancel(
  ctx: Context,
  values: { cancellation_reason?: string | null },
  path: readonly string[],
): object {
  const intent = setupAt(ctx, path)
  if (intent.status === 'succeeded' || intent.status === 'canceled') throw unexpected(intent)
  const reason = values.cancellation_reason ?? null
  const canceled = ctx.store.put('setupIntents', {
    ...intent,
    status: 'canceled',
    cancellation_reason: reason,
    next_action: null,
  })
  emit(ctx, 'setup_intent.canceled', ['setupIntents', canceled])
  return strip(canceled)
}

const listShape = { ...page, created: timeRange, customer: text(), payment_method: text() }

function listSetups(ctx: Context, values: Values<typeof listShape>): object {
  const filter = (s: SetupIntentRecord) =>
    (!values.customer || s.customer === values.customer) &&
    (!values.payment_method || s.payment_method === values.payment_method) &&
    isInRange(s.created, values.created)
  return listPage(
    ctx,
    { table: 'setupIntents', kind: 'setupintent', url: '/v1/setup_intents', filter },
    values,
  )
}

export const setupIntentRoutes = [
  route('POST', '/v1/setup_intents', [createShape, create]),
  route('GET', '/v1/setup_intents', [listShape, listSetups]),
  route('GET', '/v1/setup_intents/:id', [
    { client_secret: text() },
    (ctx, _values, path) => strip(setupAt(ctx, path)),
  ]),
  route('POST', '/v1/setup_intents/:id', [common, edit]),
  route('POST', '/v1/setup_intents/:id/confirm', [
    confirmShape,
    (ctx, values, path) => strip(confirm(ctx, setupAt(ctx, path), values.payment_method)),
  ]),
  route('POST', '/v1/setup_intents/:id/cancel', [{ cancellation_reason: text() }, cancel]),
]
