import type { BadRequest } from './send.ts'

const meter = {
  slug: 'bad',
  name: 'Bad',
  eventType: 'request',
  aggregation: 'SUM',
  valueProperty: '$.tokens',
}

const meterCase = (
  name: string,
  changes: object,
  refusal: Pick<BadRequest, 'code' | 'field' | 'detail'> & { readonly status?: number },
): BadRequest => ({
  name: `a meter ${name}`,
  path: '/api/v1/meters',
  body: { ...meter, ...changes },
  status: 400,
  ...refusal,
})

const unit = (amount: string) => ({ flatPrice: null, unitPrice: { type: 'unit', amount } })
const usageCard = (price: object, fields: object = {}) => ({
  type: 'usage_based',
  key: 'tokens',
  featureKey: 'tokens',
  name: 'Tokens',
  billingCadence: 'P1M',
  price,
  ...fields,
})
const tiered = (tiers: readonly object[]) => usageCard({ type: 'tiered', mode: 'graduated', tiers })
const plan = (rateCards: readonly object[], fields: object = {}) => ({
  key: 'bad',
  name: 'Bad',
  currency: 'USD',
  billingCadence: 'P1M',
  phases: [{ key: 'main', name: 'Main', duration: null, rateCards }],
  ...fields,
})
const card = 'phases[0].rateCards[0]'

const planCase = (
  name: string,
  body: object,
  refusal: Pick<BadRequest, 'code' | 'field' | 'detail'>,
): BadRequest => ({
  name: `a plan ${name}`,
  path: '/api/v1/plans',
  body,
  status: 400,
  ...refusal,
})

export const catalogCases: readonly BadRequest[] = [
  meterCase(
    'whose value is no JSONPath',
    { valueProperty: 'tokens' },
    { code: 'invalid_json_path', field: 'valueProperty', detail: /\$/ },
  ),
  meterCase(
    'whose value has a filter',
    { valueProperty: '$..tokens[?(@.a)]' },
    { code: 'invalid_json_path', field: 'valueProperty', detail: /\$/ },
  ),
  meterCase(
    'whose group is no JSONPath',
    { groupBy: { kind: '$.[' } },
    { code: 'invalid_json_path', field: 'groupBy.kind', detail: /\$/ },
  ),
  meterCase(
    'that sums nothing',
    { valueProperty: undefined },
    { code: 'invalid_meter', field: 'valueProperty', detail: /valueProperty/ },
  ),
  meterCase(
    'of an unknown aggregation',
    { aggregation: 'MEDIAN' },
    { code: 'validation_failed', field: 'aggregation', detail: /SUM/ },
  ),
  meterCase(
    'with a NUL character in its slug',
    { slug: 'a\0b' },
    { code: 'nul_character', field: 'slug', detail: /remove it/ },
  ),
  meterCase(
    'whose slug is taken',
    { slug: 'tokens' },
    { status: 409, code: 'duplicate_key', field: 'slug', detail: /tokens already/ },
  ),
  planCase('whose tiers have no open end', plan([tiered([{ ...unit('1'), upToAmount: '5' }])]), {
    code: 'tier_open_end_missing',
    field: `${card}.price.tiers[0].upToAmount`,
    detail: /last tier/,
  }),
  planCase(
    'whose tiers go down',
    plan([tiered([{ ...unit('1'), upToAmount: '5' }, { ...unit('1'), upToAmount: '5' }, unit('1')])]),
    {
      code: 'tier_bounds_not_increasing',
      field: `${card}.price.tiers[1].upToAmount`,
      detail: /above the one before/,
    },
  ),
  planCase('in an unknown currency', plan([usageCard({ type: 'unit', amount: '1' })], { currency: 'XXX' }), {
    code: 'unknown_currency',
    field: 'currency',
    detail: /XXX/,
  }),
  planCase('with a price of 1e400', plan([usageCard({ type: 'unit', amount: '1e400' })]), {
    code: 'validation_failed',
    field: `${card}.price.amount`,
    detail: /amount must/,
  }),
  planCase('with a price of a hundred digits', plan([usageCard({ type: 'unit', amount: '9'.repeat(100) })]), {
    code: 'invalid_decimal',
    field: `${card}.price.amount`,
    detail: /64/,
  }),
  planCase('with a price that is a number', plan([usageCard({ type: 'unit', amount: 1 })]), {
    code: 'validation_failed',
    field: `${card}.price.amount`,
    detail: /string/,
  }),
  planCase(
    'of a cadence of ten thousand years',
    plan([usageCard({ type: 'unit', amount: '1' })], { billingCadence: 'P10000Y' }),
    {
      code: 'invalid_duration',
      field: 'billingCadence',
      detail: /ten years/,
    },
  ),
  planCase(
    'of a cadence that is no duration',
    plan([usageCard({ type: 'unit', amount: '1' })], { billingCadence: 'Pmonth' }),
    {
      code: 'invalid_duration',
      field: 'billingCadence',
      detail: /Pmonth/,
    },
  ),
  planCase(
    'with a phase of a million years',
    plan([], {
      phases: [
        { key: 'first', name: 'First', duration: 'P1000000Y', rateCards: [] },
        { key: 'main', name: 'Main', duration: null, rateCards: [] },
      ],
    }),
    { code: 'invalid_duration', field: 'phases[0].duration', detail: /longer than ten years/ },
  ),
  planCase('without phases', plan([], { phases: [] }), {
    code: 'validation_failed',
    field: 'phases',
    detail: /phases must/,
  }),
  {
    name: 'publishing a plan whose cadences do not divide',
    method: 'POST',
    path: '/api/v1/plans/{unevenPlan}/publish',
    status: 400,
    code: 'cadence_not_divisible',
    field: `${card}.billingCadence`,
    detail: /P4W.*P1M|P1M.*P4W/,
  },
  {
    name: 'publishing a plan with a negative price',
    method: 'POST',
    path: '/api/v1/plans/{negativePlan}/publish',
    status: 400,
    code: 'validation_failed',
    field: `${card}.price.amount`,
    detail: /negative/,
  },
  {
    name: 'publishing a plan twice',
    method: 'POST',
    path: '/api/v1/plans/{publishedPlan}/publish',
    status: 409,
    code: 'plan_already_published',
    detail: /published/,
  },
  {
    name: 'changing a published plan',
    method: 'PUT',
    path: '/api/v1/plans/{publishedPlan}',
    body: {
      name: 'Other',
      billingCadence: 'P1M',
      phases: [{ key: 'main', name: 'Main', duration: null, rateCards: [] }],
    },
    status: 409,
    code: 'plan_not_draft',
    detail: /draft|version/,
  },
  {
    name: 'a feature on an unknown meter',
    path: '/api/v1/features',
    body: { key: 'bad', name: 'Bad', meterSlug: 'nowhere' },
    status: 400,
    code: 'validation_failed',
    field: 'meterSlug',
    detail: /nowhere/,
  },
  {
    name: 'a feature whose key has a NUL character',
    path: '/api/v1/features',
    body: { key: 'a\0b', name: 'Bad' },
    status: 400,
    code: 'nul_character',
    field: 'key',
    detail: /remove it/,
  },
  {
    name: 'metadata with half a surrogate pair',
    path: '/api/v1/features',
    body: { key: 'bad', name: 'Bad', metadata: { note: '\uD800' } },
    status: 400,
    code: 'validation_failed',
    field: 'metadata.note',
    detail: /surrogate/,
  },
  {
    name: 'a meter query whose filter has an escaped NUL character',
    path: `/api/v1/meters/tokens/query?advancedMeterGroupByFilters=${encodeURIComponent('{"kind":{"$eq":"\\u0000"}}')}`,
    status: 400,
    code: 'nul_character',
    field: 'advancedMeterGroupByFilters.kind.$eq',
    detail: /remove it/,
  },
  {
    name: 'a meter query in an unknown time zone',
    path: '/api/v1/meters/tokens/query?windowSize=DAY&windowTimeZone=Mars/Base',
    status: 400,
    code: 'invalid_time_zone',
    field: 'windowTimeZone',
    detail: /Mars/,
  },
]
