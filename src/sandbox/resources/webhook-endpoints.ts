import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { refuse } from '../errors.ts'
import { newId, newWebhookSecret } from '../ids.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import { boolean, list, mergeMetadata, metadata, page, required, text } from '../params.ts'
import { strip } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { EndpointRecord } from '../records.ts'

/** [stripe docs: webhooks] */
const MAX_ENDPOINTS = 16

const common = { url: text(), enabled_events: list(required(text())), description: text(), metadata }
const createShape = {
  ...common,
  url: required(text()),
  enabled_events: required(list(required(text()))),
  api_version: text(),
  connect: boolean,
}
const updateShape = { ...common, disabled: boolean }

function checkUrl(url: string): string {
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw refuse('Invalid URL: An explicit scheme (such as https) must be provided.', {
      code: 'url_invalid',
      param: 'url',
    })
  return url
}

/** A release by its date, with the train's name since acacia; whether it was ever released is not looked up. */
function checkVersion(version: string | null | undefined): string | null {
  if (!version) return null
  if (/^20\d\d-\d\d-\d\d(\.[a-z]+)?$/.test(version)) return version
  throw refuse(`Invalid API version: ${version}`, { param: 'api_version' })
}

/** The secret is in this reply only. */
function create(ctx: Context, values: Values<typeof createShape>): object {
  if ([...ctx.store.all('endpoints')].length >= MAX_ENDPOINTS) {
    throw refuse(`You have reached the maximum of ${MAX_ENDPOINTS} test webhook endpoints.`)
  }
  const secret = newWebhookSecret()
  const endpoint = ctx.store.put('endpoints', {
    id: newId('we'),
    object: 'webhook_endpoint',
    api_version: checkVersion(values.api_version),
    application: null,
    created: timeOf(ctx, null),
    description: values.description ?? null,
    enabled_events: [...values.enabled_events],
    livemode: false,
    metadata: mergeMetadata({}, values.metadata),
    status: 'enabled',
    url: checkUrl(values.url),
    _secret: secret,
    _previousSecret: null,
  })
  return { ...strip(endpoint), secret }
}

/** What a disabled or deleted endpoint still had to get is dropped [stripe docs: webhooks]. */
function dropDeliveries(ctx: Context, endpoint: string): void {
  for (const delivery of ctx.store.by('deliveries', 'pending', endpoint)) {
    ctx.store.put('deliveries', { ...delivery, state: 'dropped' })
  }
}

function edit(ctx: Context, values: Values<typeof updateShape>, path: readonly string[]): object {
  const endpoint = requireRecord(ctx, ['endpoints', idOf(path)])
  const { disabled, url, enabled_events: events, description } = values
  if (disabled === true) dropDeliveries(ctx, endpoint.id)
  const changed: EndpointRecord = {
    ...endpoint,
    ...(url ? { url: checkUrl(url) } : {}),
    ...(events ? { enabled_events: [...events] } : {}),
    ...(description === undefined ? {} : { description }),
    ...(disabled === undefined ? {} : { status: disabled ? 'disabled' : 'enabled' }),
    metadata: mergeMetadata(endpoint.metadata, values.metadata),
  }
  return strip(ctx.store.put('endpoints', changed))
}

function remove(ctx: Context, _values: object, path: readonly string[]): object {
  const endpoint = requireRecord(ctx, ['endpoints', idOf(path)])
  dropDeliveries(ctx, endpoint.id)
  ctx.store.remove('endpoints', endpoint.id)
  return { id: endpoint.id, object: 'webhook_endpoint', deleted: true }
}

export const endpointRoutes = [
  route('POST', '/v1/webhook_endpoints', [createShape, create]),
  route('GET', '/v1/webhook_endpoints', [
    page,
    (ctx, values) =>
      listPage(
        ctx,
        { table: 'endpoints', kind: 'webhook endpoint', url: '/v1/webhook_endpoints', filter: () => true },
        values,
      ),
  ]),
  route('GET', '/v1/webhook_endpoints/:id', [
    {},
    (ctx, _values, path) => strip(requireRecord(ctx, ['endpoints', idOf(path)])),
  ]),
  route('POST', '/v1/webhook_endpoints/:id', [updateShape, edit]),
  route('DELETE', '/v1/webhook_endpoints/:id', [{}, remove]),
]
