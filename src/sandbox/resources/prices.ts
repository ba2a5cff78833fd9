import type { Context } from '../context.ts'
import { update } from '../events.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import {
  boolean,
  currencyCode,
  hash,
  isInRange,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  page,
  required,
  text,
  timeRange,
} from '../params.ts'
import { strip } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { PriceRecord } from '../records.ts'
import { freeLookupKey, newPrice, priceShape } from './catalog.ts'

const editShape = {
  active: boolean,
  lookup_key: text(200),
  metadata,
  nickname: text(),
  tax_behavior: oneOf('exclusive', 'inclusive', 'unspecified'),
  transfer_lookup_key: boolean,
}
const priceAt = (ctx: Context, path: readonly string[]) => requireRecord(ctx, ['prices', idOf(path)])

/** The amount and the interval of a price never change [stripe docs: update a price]. */
function edit(ctx: Context, values: Values<typeof editShape>, path: readonly string[]): object {
  const price = priceAt(ctx, path)
  const { metadata: patch, transfer_lookup_key: transfers, ...plain } = values
  freeLookupKey(ctx, values.lookup_key, [price.id, transfers === true])
  const changed: PriceRecord = { ...price, ...plain, metadata: mergeMetadata(price.metadata, patch) }
  return strip(update(ctx, 'price.updated', ['prices', changed]))
}

const listShape = {
  ...page,
  active: boolean,
  created: timeRange,
  currency: currencyCode,
  lookup_keys: list(required(text()), 10),
  product: text(),
  recurring: hash({
    interval: oneOf('day', 'week', 'month', 'year'),
    usage_type: oneOf('licensed', 'metered'),
  }),
  type: oneOf('one_time', 'recurring'),
}

function matches(price: PriceRecord, values: Values<typeof listShape>): boolean {
  const { active, created, currency, lookup_keys: keys, product, recurring, type } = values
  return (
    (active === undefined || price.active === active) &&
    (currency === undefined || price.currency === currency) &&
    (!keys || (price.lookup_key !== null && keys.includes(price.lookup_key))) &&
    (!product || price.product === product) &&
    (type === undefined || price.type === type) &&
    (recurring?.interval === undefined || price.recurring?.interval === recurring.interval) &&
    (recurring?.usage_type === undefined || price.recurring?.usage_type === recurring.usage_type) &&
    isInRange(price.created, created)
  )
}

export const priceRoutes = [
  route('POST', '/v1/prices', [priceShape, (ctx, values) => strip(newPrice(ctx, values))]),
  route('GET', '/v1/prices', [
    listShape,
    (ctx, values) => {
      const filter = (price: PriceRecord) => matches(price, values)
      return listPage(ctx, { table: 'prices', kind: 'price', url: '/v1/prices', filter }, values)
    },
  ]),
  route('GET', '/v1/prices/:id', [{}, (ctx, _values, path) => strip(priceAt(ctx, path))]),
  route('POST', '/v1/prices/:id', [editShape, edit]),
]
