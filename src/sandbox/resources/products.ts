import type { Context } from '../context.ts'
import { update } from '../events.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import {
  boolean,
  hash,
  isInRange,
  list,
  mergeMetadata,
  page,
  required,
  text,
  timeRange,
  unbuilt,
} from '../params.ts'
import { strip } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { ProductRecord } from '../records.ts'
import { newPrice, newProduct, priceCommon, productCommon, secondsNow } from './catalog.ts'

const createShape = {
  ...productCommon,
  name: required(text(5000)),
  id: text(),
  default_price_data: hash({ ...priceCommon, custom_unit_amount: unbuilt, currency_options: unbuilt }),
}
const editShape = { ...productCommon, name: text(5000), default_price: text() }
const productAt = (ctx: Context, path: readonly string[]) => requireRecord(ctx, ['products', idOf(path)])

function create(ctx: Context, values: Values<typeof createShape>): object {
  const { default_price_data: price, ...rest } = values
  const product = newProduct(ctx, rest)
  if (!price) return strip(product)
  const { id } = newPrice(ctx, { ...price, product: product.id })
  return strip(ctx.store.put('products', { ...product, default_price: id }))
}

function edit(ctx: Context, values: Values<typeof editShape>, path: readonly string[]): object {
  const product = productAt(ctx, path)
  const { metadata: patch, name, ...plain } = values
  if (plain.default_price) requireRecord(ctx, ['prices', plain.default_price], 'default_price')
  const changed: ProductRecord = {
    ...product,
    ...plain,
    ...(name ? { name } : {}),
    metadata: mergeMetadata(product.metadata, patch),
    updated: secondsNow(ctx),
  }
  return strip(update(ctx, 'product.updated', ['products', changed]))
}

const listShape = { ...page, active: boolean, created: timeRange, ids: list(required(text())), url: text() }

function listProducts(ctx: Context, values: Values<typeof listShape>): object {
  const { active, created, ids, url } = values
  const filter = (product: ProductRecord) =>
    (active === undefined || product.active === active) &&
    (!ids || ids.includes(product.id)) &&
    (!url || product.url === url) &&
    isInRange(product.created, created)
  return listPage(ctx, { table: 'products', kind: 'product', url: '/v1/products', filter }, values)
}

export const productRoutes = [
  route('POST', '/v1/products', [createShape, create]),
  route('GET', '/v1/products', [listShape, listProducts]),
  route('GET', '/v1/products/:id', [{}, (ctx, _values, path) => strip(productAt(ctx, path))]),
  route('POST', '/v1/products/:id', [editShape, edit]),
]
