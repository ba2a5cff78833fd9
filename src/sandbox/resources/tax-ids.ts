import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { noSuch, refuse } from '../errors.ts'
import { emit } from '../events.ts'
import { newId } from '../ids.ts'
import { listPage } from '../lists.ts'
import { page, required, text } from '../params.ts'
import { strip } from '../present.ts'
import { requireCustomer } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { CustomerRecord, TaxIdRecord } from '../records.ts'

const europeanUnion = new Set(
  'AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK'.split(' '),
)
const typeByCountry: Readonly<Record<string, string>> = {
  AU: 'au_abn',
  BR: 'br_cnpj',
  CA: 'ca_bn',
  CH: 'ch_vat',
  GB: 'gb_vat',
  IN: 'in_gst',
  JP: 'jp_cn',
  MX: 'mx_rfc',
  NO: 'no_vat',
  NZ: 'nz_gst',
  SG: 'sg_gst',
  US: 'us_ein',
}

/** The kind of number that a country gives its businesses; Stripe's page asks where there are several. */
export function taxIdTypeOf(country: string | null): string | null {
  if (country === null) return null
  return europeanUnion.has(country) ? 'eu_vat' : (typeByCountry[country] ?? null)
}

/** Only the outline of a number is looked at: two capitals and up to twelve characters for the EU's and the UK's. */
function isSound(type: string, value: string): boolean {
  if (type === 'eu_vat') return /^[A-Z]{2}[A-Z0-9]{2,12}$/.test(value)
  if (type === 'gb_vat') return /^(GB)?\d{9}(\d{3})?$/.test(value)
  return /^[\w .\-/]{2,30}$/.test(value)
}

/** Keeps a tax id of a customer; `customer.tax_id.created`. */
export function addTaxId(
  ctx: Context,
  customer: CustomerRecord,
  { type, value }: { readonly type: string; readonly value: string },
): TaxIdRecord {
  const plain = value.replaceAll(/\s/g, '')
  if (!isSound(type, plain))
    throw refuse(`Invalid value for ${type}.`, { code: 'tax_id_invalid', param: 'value' })
  const country = type === 'eu_vat' ? plain.slice(0, 2) : type.slice(0, 2).toUpperCase()
  const record = ctx.store.put('taxIds', {
    id: newId('txi'),
    object: 'tax_id',
    country,
    created: timeOf(ctx, customer.test_clock),
    customer: customer.id,
    customer_account: null,
    livemode: false,
    owner: { customer: customer.id, type: 'customer' },
    type: type,
    value: plain,
    verification: { status: 'pending', verified_address: null, verified_name: null },
  } as TaxIdRecord)
  emit(ctx, 'customer.tax_id.created', ['taxIds', record])
  return record
}

/** A customer's tax ids, oldest first. */
export function taxIdsOf(ctx: Context, customer: string): readonly TaxIdRecord[] {
  return ctx.store.by('taxIds', 'customer', customer)
}

/** Removes one; `customer.tax_id.deleted`. */
export function removeTaxId(ctx: Context, record: TaxIdRecord): object {
  ctx.store.remove('taxIds', record.id)
  emit(ctx, 'customer.tax_id.deleted', ['taxIds', record])
  return { id: record.id, object: 'tax_id', deleted: true }
}

const base = '/v1/customers/:id/tax_ids'

function idAt(ctx: Context, path: readonly string[]): TaxIdRecord {
  const found = taxIdsOf(ctx, requireCustomer(ctx, idOf(path)).id).find(({ id }) => id === path[1])
  if (found === undefined) throw noSuch('tax_id', path[1] ?? '')
  return found
}

export const taxIdRoutes = [
  route('POST', base, [
    { type: required(text()), value: required(text()) },
    (ctx, values, path) => strip(addTaxId(ctx, requireCustomer(ctx, idOf(path)), values)),
  ]),
  route('GET', base, [
    page,
    (ctx, values, path) => {
      const { id } = requireCustomer(ctx, idOf(path))
      const url = base.replace(':id', id)
      const among = taxIdsOf(ctx, id)
      return listPage(ctx, { table: 'taxIds', kind: 'tax_id', url, filter: () => true, among }, values)
    },
  ]),
  route('GET', `${base}/:taxid`, [{}, (ctx, _values, path) => strip(idAt(ctx, path))]),
  route('DELETE', `${base}/:taxid`, [{}, (ctx, _values, path) => removeTaxId(ctx, idAt(ctx, path))]),
]
