import type { FastifySchemaValidationError } from 'fastify'

export interface FieldProblem {
  /** e.g. `phases[0].rateCards[1].price`; empty for the whole body. */
  readonly field: string
  /** A sentence that says what would be right. */
  readonly detail: string
}

/** `/phases/0/key` → `phases[0].key`. */
export function fieldPath(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(
      (path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`),
      '',
    )
}

const quoted = (values: unknown): string =>
  (Array.isArray(values) ? values : [values]).map((value) => JSON.stringify(value)).join(', ')

/** What people call the patterns of the schemas (src/api/schemas); one that is missing here is shown as it is. */
const shapes: ReadonlyMap<string, string> = new Map([
  ['^P', 'be an ISO 8601 duration like P1M or PT24H'],
  ['^-?[0-9]+(\\.[0-9]+)?$', 'be a decimal number as text like "0.000003"'],
  ['^[A-Z]{3}$', 'be an ISO 4217 code like USD'],
  ['^[A-Z]{2}$', 'be an ISO 3166-1 code of two letters like US'],
  ['^[a-z0-9]+(?:_[a-z0-9]+)*$', 'be of lower-case letters, digits and single underscores'],
  ['^https?://[^\\s/?#]\\S*$', 'be an address like https://billing.stripe.com/p/login/…'],
  ['^cus_', 'be the id of a Stripe customer (cus_…)'],
  ['^sub_', 'be the id of a Stripe subscription (sub_…)'],
  ['^txcd_\\d{8}$', 'be a tax code of Stripe (txcd_ and eight digits)'],
  ['^whsec_[!-~]{8,200}$', 'be a signing secret of Stripe (whsec_…)'],
])

const formats: ReadonlyMap<string, string> = new Map([
  ['date-time', 'be an instant like 2025-01-31T05:00:00Z (RFC 3339)'],
  ['email', 'be an e-mail address like billing@example.com'],
])

/** What would be right, continuing the sentence "<field> must …". */
function expectation({ keyword, instancePath, params, message }: FastifySchemaValidationError): string {
  switch (keyword) {
    case 'required':
      return /^\/(customPlan\/)?phases\/\d+$/.test(instancePath) && params['missingProperty'] === 'duration'
        ? 'be given: how long the phase lasts, or null for the last phase'
        : 'be given'
    case 'type':
      return `be of type ${Array.isArray(params['type']) ? params['type'].join(' or ') : String(params['type'])}`
    case 'enum':
      return `be one of ${quoted(params['allowedValues'])}`
    case 'format':
      return formats.get(String(params['format'])) ?? `be of the format ${String(params['format'])}`
    case 'additionalProperties':
      return `not have the field "${String(params['additionalProperty'])}"`
    case 'pattern':
      return shapes.get(String(params['pattern'])) ?? `match ${String(params['pattern'])}`
    case 'minLength':
      return params['limit'] === 1 ? 'not be empty' : `have at least ${String(params['limit'])} characters`
    case 'minItems':
      return `have at least ${entries(params['limit'])}`
    case 'maxItems':
      return `have at most ${entries(params['limit'])}`
    default:
      return (message ?? 'be valid').replace(/^must /, '')
  }
}

const entries = (count: unknown): string => (count === 1 ? 'one entry' : `${String(count)} entries`)

/** The most telling of Ajv's errors: of a failed union, the deepest one. */
function mostTelling(
  errors: readonly FastifySchemaValidationError[],
): FastifySchemaValidationError | undefined {
  const telling = errors.filter((error) => !['anyOf', 'oneOf', 'if'].includes(error.keyword))
  const depth = (error: FastifySchemaValidationError): number => error.instancePath.split('/').length
  return telling.reduce<FastifySchemaValidationError | undefined>(
    (best, error) => (best === undefined || depth(error) > depth(best) ? error : best),
    undefined,
  )
}

/** A union of constants fails once for each of them, and for a shape beside them: together they are what may stand there. */
function ofUnion(
  errors: readonly FastifySchemaValidationError[],
  { instancePath }: FastifySchemaValidationError,
): string {
  const here = errors.filter((error) => error.instancePath === instancePath)
  const constants = here.filter(({ keyword }) => keyword === 'const')
  const shaped = here.filter(({ keyword }) => keyword === 'format' || keyword === 'pattern')
  const values = constants.map(({ params }) => params['allowedValue'])
  return [`be ${values.length > 1 ? 'one of ' : ''}${quoted(values)}`, ...shaped.map(expectation)].join(
    ', or ',
  )
}

/** Names the field and says what would be right. */
export function describeValidation(
  errors: readonly FastifySchemaValidationError[],
  context: string,
): FieldProblem {
  const error = mostTelling(errors) ?? errors[0]
  if (error === undefined) return { field: context, detail: `The ${context} is not valid.` }
  const base = fieldPath(error.instancePath)
  const missing = error.keyword === 'required' ? String(error.params['missingProperty']) : ''
  const field = missing === '' ? base : base === '' ? missing : `${base}.${missing}`
  const subject = field === '' ? `The ${context}` : field
  const expected = error.keyword === 'const' ? ofUnion(errors, error) : expectation(error)
  return { field: field === '' ? context : field, detail: `${subject} must ${expected}.` }
}
