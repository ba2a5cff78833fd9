import type { BadRequest } from './send.ts'

const customer = {
  key: 'bad',
  name: 'Bad',
  currency: 'USD',
  timezone: 'UTC',
  usageAttribution: { subjectKeys: ['bad'] },
}

const customerCase = (
  name: string,
  changes: object,
  refusal: Pick<BadRequest, 'code' | 'field' | 'detail'> & { status?: number },
): BadRequest => ({
  name: `a customer ${name}`,
  path: '/api/v1/customers',
  body: { ...customer, ...changes },
  status: 400,
  ...refusal,
})
const nul = (field: string) => ({ code: 'nul_character', field, detail: /remove it/ })

export const customerCases: readonly BadRequest[] = [
  customerCase('with a NUL character in its name', { name: 'a\0b' }, nul('name')),
  customerCase('with a NUL character in its key', { key: 'a\0b' }, nul('key')),
  customerCase(
    'with a NUL character in a subject key',
    { usageAttribution: { subjectKeys: ['a', 'b\0'] } },
    nul('usageAttribution.subjectKeys[1]'),
  ),
  customerCase(
    'with a NUL character in a name of its metadata',
    { metadata: { 'a\0b': 'c' } },
    nul('metadata.ab'),
  ),
  customerCase(
    'with half a surrogate pair in its name',
    { name: 'a\uDC00' },
    { code: 'validation_failed', field: 'name', detail: /surrogate/ },
  ),
  customerCase(
    'in an unknown currency',
    { currency: 'ZZZ' },
    { code: 'unknown_currency', field: 'currency', detail: /ZZZ/ },
  ),
  customerCase(
    'in an unknown time zone',
    { timezone: 'Mars/Base' },
    { code: 'invalid_time_zone', field: 'timezone', detail: /Mars/ },
  ),
  customerCase(
    'without a name',
    { name: undefined },
    { code: 'validation_failed', field: 'name', detail: /name must be given/ },
  ),
  customerCase(
    'whose e-mail is none',
    { primaryEmail: 'nobody' },
    { code: 'validation_failed', field: 'primaryEmail', detail: /e-mail address like/ },
  ),
  customerCase(
    'on a clock that is not there',
    { testClockId: 'nowhere' },
    { code: 'validation_failed', field: 'testClockId', detail: /nowhere/ },
  ),
  customerCase(
    'whose key is taken',
    { key: 'good' },
    { status: 409, code: 'duplicate_key', field: 'key', detail: /good/ },
  ),
  customerCase(
    'whose usage another has',
    { usageAttribution: { subjectKeys: ['bad', 'good'] } },
    { status: 409, code: 'duplicate_key', field: 'usageAttribution.subjectKeys', detail: /Another customer/ },
  ),
  {
    name: 'a customer of an id with strange characters',
    path: `/api/v1/customers/${encodeURIComponent("x'; drop table customers; -- ☃/../")}`,
    status: 404,
    code: 'not_found',
    detail: /drop table/,
  },
  {
    name: 'a link to a Stripe customer that is not there',
    method: 'PUT',
    path: '/api/v1/customers/{good}/apps',
    body: [{ type: 'stripe', stripeCustomerId: 'cus_nowhere' }],
    status: 400,
    code: 'stripe_customer_not_found',
    detail: /cus_nowhere/,
  },
  {
    name: 'a billing profile whose draft period is no duration',
    path: '/api/v1/billing/profiles',
    body: {
      name: 'Bad',
      default: false,
      supplier: { name: 'Acme', addresses: [{ country: 'US' }] },
      workflow: { invoicing: { draftPeriod: 'PX' } },
      apps: { tax: '{app}', invoicing: '{app}', payment: '{app}' },
    },
    status: 400,
    code: 'invalid_duration',
    field: 'workflow.invoicing.draftPeriod',
    detail: /PX/,
  },
  {
    name: 'a billing profile that waits for a million years',
    path: '/api/v1/billing/profiles',
    body: {
      name: 'Bad',
      default: false,
      supplier: { name: 'Acme', addresses: [{ country: 'US' }] },
      workflow: { collection: { interval: 'P1000000Y' } },
      apps: { tax: '{app}', invoicing: '{app}', payment: '{app}' },
    },
    status: 400,
    code: 'invalid_duration',
    field: 'workflow.collection.interval',
    detail: /ten years/,
  },
  {
    name: 'a dunning retry after a million years',
    path: '/api/v1/billing/profiles',
    body: {
      name: 'Bad',
      default: false,
      supplier: { name: 'Acme', addresses: [{ country: 'US' }] },
      workflow: {},
      dunning: { retries: ['P1D', 'P999999999Y'] },
      apps: { tax: '{app}', invoicing: '{app}', payment: '{app}' },
    },
    status: 400,
    code: 'invalid_duration',
    field: 'dunning.retries[1]',
    detail: /ten years/,
  },
]
