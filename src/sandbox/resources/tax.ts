import type { Context } from '../context.ts'
import { noSuch, refuse } from '../errors.ts'
import { listPage, pageOf } from '../lists.ts'
import type { Values } from '../params.ts'
import { boolean, decimal, mergeMetadata, metadata, page, required, text } from '../params.ts'
import { newId } from '../ids.ts'
import { emit, update } from '../events.ts'
import { strip } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { TaxRateRecord } from '../records.ts'

const common = {
  active: boolean,
  country: text(2),
  description: text(),
  display_name: text(50),
  jurisdiction: text(200),
  state: text(2),
  tax_type: text(),
  metadata,
}
const createShape = {
  ...common,
  display_name: required(text(50)),
  inclusive: required(boolean),
  percentage: required(decimal),
}

function create(ctx: Context, values: Values<typeof createShape>): object {
  const percentage = Number(values.percentage)
  if (percentage < 0 || percentage > 100)
    throw refuse('Tax rate percentages must be between 0 and 100.', { param: 'percentage' })
  const rate = ctx.store.put('taxRates', {
    id: newId('txr'),
    object: 'tax_rate',
    active: values.active ?? true,
    country: values.country ?? null,
    created: Math.floor(ctx.nowMs() / 1000),
    description: values.description ?? null,
    display_name: values.display_name,
    effective_percentage: null,
    flat_amount: null,
    inclusive: values.inclusive,
    jurisdiction: values.jurisdiction ?? null,
    jurisdiction_level: null,
    livemode: false,
    metadata: mergeMetadata({}, values.metadata),
    percentage,
    rate_type: 'percentage',
    state: values.state ?? null,
    tax_type: values.tax_type ?? null,
  })
  emit(ctx, 'tax_rate.created', ['taxRates', rate])
  return strip(rate)
}

function edit(ctx: Context, values: Values<typeof common>, path: readonly string[]): object {
  const rate = requireRecord(ctx, ['taxRates', idOf(path)])
  const { metadata: patch, display_name: name, tax_type: type, ...plain } = values
  const typed = type === undefined ? {} : { tax_type: type }
  const changed = {
    ...rate,
    ...plain,
    ...typed,
    ...(name ? { display_name: name } : {}),
    metadata: mergeMetadata(rate.metadata, patch),
  }
  return strip(update(ctx, 'tax_rate.updated', ['taxRates', changed]))
}

/** Enough of the list for products and items to refer to [stripe docs: tax codes]. */
const taxCodes = [
  { id: 'txcd_00000000', name: 'Nontaxable', description: 'Any nontaxable good or service.' },
  {
    id: 'txcd_10000000',
    name: 'General - Electronically Supplied Services',
    description: 'Services delivered over the internet.',
  },
  {
    id: 'txcd_10103000',
    name: 'Software as a service (SaaS) - personal use',
    description: 'Software accessed over the internet.',
  },
  {
    id: 'txcd_10103001',
    name: 'Software as a service (SaaS) - business use',
    description: 'Software accessed over the internet.',
  },
].map((code) => ({ ...code, object: 'tax_code', requirements: null }))

export const taxRoutes = [
  route('GET', '/v1/tax_codes', [page, (_ctx, values) => pageOf('/v1/tax_codes', taxCodes, values)]),
  route('GET', '/v1/tax_codes/:id', [
    {},
    (_ctx, _values, path) => {
      const code = taxCodes.find((candidate) => candidate.id === idOf(path))
      if (code === undefined) throw noSuch('tax code', idOf(path))
      return code
    },
  ]),
  route('POST', '/v1/tax_rates', [createShape, create]),
  route('GET', '/v1/tax_rates', [
    { ...page, active: boolean, inclusive: boolean },
    (ctx, values) => {
      const filter = (rate: TaxRateRecord) =>
        (values.active === undefined || rate.active === values.active) &&
        (values.inclusive === undefined || rate.inclusive === values.inclusive)
      return listPage(ctx, { table: 'taxRates', kind: 'tax rate', url: '/v1/tax_rates', filter }, values)
    },
  ]),
  route('GET', '/v1/tax_rates/:id', [
    {},
    (ctx, _values, path) => strip(requireRecord(ctx, ['taxRates', idOf(path)])),
  ]),
  route('POST', '/v1/tax_rates/:id', [common, edit]),
]
