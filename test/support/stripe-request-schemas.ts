import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import type { ValidateFunction } from 'ajv'
import { overlay } from './stripe-spec/overlay.ts'

/** A request to Stripe: `body` holds the form's or the query's values, nested, texts as they went over the wire. */
export interface StripeRequest {
  readonly method: string
  readonly path: string
  readonly body: unknown
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, object>>
  readonly [keyword: string]: unknown
}
interface Document {
  readonly version: string
  readonly operations: Readonly<Record<string, ObjectSchema>>
}

function withOverlay({ version, operations }: Document): Document {
  const changed = { ...operations }
  for (const { operation, remove = [], add = {} } of overlay) {
    const schema = changed[operation]
    if (schema === undefined) throw new Error(`the overlay names ${operation}, which the document has not`)
    const kept = Object.entries({ ...schema.properties, ...add }).filter(([name]) => !remove.includes(name))
    changed[operation] = { ...schema, properties: Object.fromEntries(kept) }
  }
  return { version, operations: changed }
}

const file = new URL('./stripe-spec/requests.json', import.meta.url)
const document = withOverlay(JSON.parse(readFileSync(file, 'utf8')) as Document)

// A form carries texts only, so numbers and booleans are read from them.
const ajv = new Ajv({ strict: false, allErrors: true, coerceTypes: true })
const compiled = new Map<string, ValidateFunction>()

/** Names that Stripe's document has for an endpoint; for tests that compare the sandbox with it. */
export function documentedParameters(operation: string): readonly string[] | undefined {
  const properties = document.operations[operation]?.properties
  return properties === undefined ? undefined : Object.keys(properties)
}

/** The operation of a request: the pattern with the fewest wildcards that fits. */
function operationOf(method: string, path: string): string | undefined {
  const parts = path.split('/')
  const fits = (name: string) => {
    const [verb, pattern = ''] = name.split(' ')
    const segments = pattern.split('/')
    return (
      verb === method &&
      segments.length === parts.length &&
      segments.every((s, i) => s === '*' || s === parts[i])
    )
  }
  const wildcards = (name: string) => name.split('*').length
  return Object.keys(document.operations)
    .filter(fits)
    .toSorted((a, b) => wildcards(a) - wildcards(b))[0]
}

function validatorOf(operation: string): ValidateFunction {
  const existing = compiled.get(operation)
  if (existing !== undefined) return existing
  const validate = ajv.compile(document.operations[operation] ?? {})
  compiled.set(operation, validate)
  return validate
}

/** What is wrong with a request by Stripe's published schemas (2026-10-28.endive); empty: nothing. */
export function validateStripeRequest({ method, path, body }: StripeRequest): string[] {
  const operation = operationOf(method, path)
  if (operation === undefined)
    return [`${method} ${path} is not an endpoint of Stripe that the sandbox serves`]
  const validate = validatorOf(operation)
  if (validate(structuredClone(body ?? {}))) return []
  return (validate.errors ?? []).map((error) => {
    const what = Object.values(error.params as object).join(', ')
    return `${method} ${path}: ${error.instancePath || '(top)'} ${error.message ?? 'is invalid'} (${what})`
  })
}

interface Journal {
  readonly requests: readonly { readonly method: string; readonly path: string; readonly params: unknown }[]
}

/** Runs every request that a sandbox has received through the schemas; throws with all that do not fit. */
export async function assertJournalMatchesSpec(sandboxUrl: string): Promise<void> {
  const response = await fetch(`${sandboxUrl}/_sandbox/requests`)
  const { requests } = (await response.json()) as Journal
  const problems = requests.flatMap(({ method, path, params }) =>
    validateStripeRequest({ method, path, body: params }),
  )
  if (problems.length > 0)
    throw new Error(`requests that Stripe would not take:\n${[...new Set(problems)].join('\n')}`)
}
