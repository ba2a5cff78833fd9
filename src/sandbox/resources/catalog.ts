import type { Context } from '../context.ts'
import { emit, update } from '../events.ts'
import { newId } from '../ids.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import {
  boolean,
  currencyCode,
  decimal,
  hash,
  integer,
  mergeMetadata,
  metadata,
  missing,
  oneOf,
  page,
  required,
  text,
  unbuilt,
} from '../params.ts'
import { strip } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { PriceRecord, ProductRecord } from '../tables.ts'

const productCommon = {
  active: boolean,
  description: text(),
  metadata,
  statement_descriptor: text(22),
  tax_code: text(),
  unit_label: text(),
  url: text(),
}
const productShape = { ...productCommon, name: required(text(5000)), id: text(), default_price_data: unbuilt }
const productEdit = { ...productCommon, name: text(5000), default_price: text() }
const seconds = (ctx: Context) => Math.floor(ctx.nowMs() / 1000)

function newProduct(ctx: Context, values: Values<typeof productShape>): ProductRecord {
  const created = seconds(ctx)
  const product: ProductRecord = {
    id: values.id ?? newId('prod'),
    object: 'product',
    active: values.active ?? true,
    created,
    default_price: null,
    description: values.description ?? null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: mergeMetadata({}, values.metadata),
    name: values.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: values.statement_descriptor ?? null,
    tax_code: values.tax_code ?? null,
    tax_details: null,
    type: 'service',
    unit_label: values.unit_label ?? null,
    updated: created,
    url: values.url ?? null,
  }
  ctx.store.put('products', product)
  emit(ctx, 'product.created', ['products', product])
  return product
}

function editProduct(ctx: Context, values: Values<typeof productEdit>, path: readonly string[]): object {
  const product = requireRecord(ctx, ['products', idOf(path)])
  const { metadata: patch, name, ...plain } = values
  const changed: ProductRecord = {
    ...product,
    ...plain,
    ...(name ? { name } : {}),
    metadata: mergeMetadata(product.metadata, patch),
    updated: seconds(ctx),
  }
  return strip(update(ctx, 'product.updated', ['products', changed]))
}

const priceShape = {
  currency: required(currencyCode),
  product: text(),
  product_data: hash({ name: required(text()), metadata }),
  unit_amount: integer(0),
  unit_amount_decimal: decimal,
  nickname: text(),
  active: boolean,
  metadata,
  tax_behavior: oneOf('exclusive', 'inclusive', 'unspecified'),
  lookup_key: text(200),
  recurring: unbuilt,
  tiers: unbuilt,
  billing_scheme: oneOf('per_unit'),
}

function createPrice(ctx: Context, values: Values<typeof priceShape>): object {
  const data = values.product_data
  const product = data
    ? newProduct(ctx, {
        name: data.name,
        ...(data.metadata === undefined ? {} : { metadata: data.metadata }),
      }).id
    : values.product
  if (!product) throw missing('product')
  requireRecord(ctx, ['products', product], 'product')
  const unit = values.unit_amount_decimal ?? values.unit_amount?.toString()
  if (unit === undefined) throw missing('unit_amount')
  const price: PriceRecord = {
    id: newId('price'),
    object: 'price',
    active: values.active ?? true,
    billing_scheme: 'per_unit',
    created: seconds(ctx),
    currency: values.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: values.lookup_key ?? null,
    metadata: mergeMetadata({}, values.metadata),
    nickname: values.nickname ?? null,
    product,
    recurring: null,
    tax_behavior: values.tax_behavior ?? 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: 'one_time',
    unit_amount: unit.includes('.') ? null : Number(unit),
    unit_amount_decimal: unit,
  }
  ctx.store.put('prices', price)
  emit(ctx, 'price.created', ['prices', price])
  return strip(price)
}

export const catalogRoutes = [
  route('POST', '/v1/products', [productShape, (ctx, values) => strip(newProduct(ctx, values))]),
  route('GET', '/v1/products', [
    { ...page, active: boolean },
    (ctx, values) => {
      const filter = (product: ProductRecord) =>
        values.active === undefined || product.active === values.active
      return listPage(ctx, { table: 'products', kind: 'product', url: '/v1/products', filter }, values)
    },
  ]),
  route('GET', '/v1/products/:id', [
    {},
    (ctx, _values, path) => strip(requireRecord(ctx, ['products', idOf(path)])),
  ]),
  route('POST', '/v1/products/:id', [productEdit, editProduct]),
  route('POST', '/v1/prices', [priceShape, createPrice]),
  route('GET', '/v1/prices', [
    { ...page, product: text(), active: boolean },
    (ctx, values) => {
      const filter = (price: PriceRecord) =>
        (!values.product || price.product === values.product) &&
        (values.active === undefined || price['active'] === values.active)
      return listPage(ctx, { table: 'prices', kind: 'price', url: '/v1/prices', filter }, values)
    },
  ]),
  route('GET', '/v1/prices/:id', [
    {},
    (ctx, _values, path) => strip(requireRecord(ctx, ['prices', idOf(path)])),
  ]),
]
