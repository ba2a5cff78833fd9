import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertPlan } from '../api/billing-fixtures.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { startScenario } from '../support/scenario.ts'

/** As much of JSON Schema as our document uses. */
interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly oneOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly format?: string
  readonly pattern?: string
  readonly required?: readonly string[]
}
interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

let installation: Installation
let document: Document
let ids: readonly string[]
/** What stands in the path of `/api/v1/plans/{planId}` and the like, by how the path begins. */
let idsByPath: readonly (readonly [string, string])[]

beforeAll(async () => {
  installation = await startInstallation()
  const { db } = installation.database
  const { appId, profileId } = await startScenario(installation)
  const planId = await insertPlan(db, { key: 'one' })
  const customer = await installation.call<{ id: string }>('POST', '/api/v1/customers', {
    key: 'acme',
    name: 'A',
  })
  ids = [appId, profileId, planId, customer.id, 'acme', 'one', 'none', '%', '..']
  idsByPath = [
    ['/api/v1/apps', appId],
    ['/api/v1/billing/profiles', profileId],
    ['/api/v1/plans', planId],
    ['/api/v1/customers', customer.id],
    ['/api/v1/billing/customers', customer.id],
  ]
  document = await installation.call<Document>('GET', '/api/openapi.json')
})
afterAll(async () => await installation.close())

const DEPTH_MAX = 6

/** Values that follow a schema, mostly: text has traps where the schema only says text, and a part is sometimes wrong. */
function valuesOf(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const right = rightValuesOf(schema, depth)
  return fc.oneof({ weight: 60, arbitrary: right }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) })
}

const traps = [
  "' OR 1=1 --",
  '\u0000',
  '\ud800',
  'a\r\nb',
  '',
  'x'.repeat(5000),
  '-0',
  '1e400',
  'P1M',
  'P9999999Y',
]

function rightValuesOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const { $ref, type, properties, items } = schema
  if (depth > DEPTH_MAX) return fc.constantFrom(null, 'deep')
  if ($ref !== undefined)
    return rightValuesOf(document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {}, depth)
  const variants = schema.oneOf ?? schema.anyOf
  if (variants !== undefined) return fc.oneof(...variants.map((variant) => valuesOf(variant, depth + 1)))
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  if (properties !== undefined) {
    const members = Object.entries(properties).map(
      ([name, inner]) => [name, valuesOf(inner, depth + 1)] as const,
    )
    const { required = [] } = schema
    const optional = Object.keys(properties).filter((name) => !required.includes(name))
    const left = fc.oneof(
      { weight: 20, arbitrary: fc.subarray(optional) },
      { weight: 1, arbitrary: fc.subarray(Object.keys(properties)) },
    )
    return fc
      .tuple(fc.record(Object.fromEntries(members)), left)
      .map(([value, out]) =>
        Object.fromEntries(Object.entries(value).filter(([name]) => !out.includes(name))),
      )
  }
  switch (type) {
    case 'array':
      return fc.array(valuesOf(items ?? {}, depth + 1), { maxLength: 3 })
    case 'integer':
    case 'number':
      return fc.oneof(fc.nat(20), fc.integer(), fc.double({ noNaN: true }))
    case 'boolean':
      return fc.boolean()
    case 'string':
      return textsOf(schema)
    case 'object':
      return fc.dictionary(
        fc.constantFrom('a', 'b', '__proto__', '$eq', ''),
        fc.constantFrom('x', ...traps),
        { maxKeys: 2 },
      )
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function textsOf({ format, pattern }: Schema): fc.Arbitrary<string> {
  const plain = fc.constantFrom(...ids, 'USD', 'US', 'UTC', 'P1M', '1', '2026-01-01T00:00:00Z')
  const fitting = pattern === undefined ? plain : fc.stringMatching(new RegExp(pattern), { size: 'small' })
  const instants = fc.constantFrom('2026-01-01T00:00:00Z', '2026-03-01T00:00:00Z')
  const oddInstants = fc.constantFrom('9999-12-31T23:59:60Z', '0000-01-01T00:00:00-23:59', 'x')
  return fc.oneof(
    { weight: 8, arbitrary: format === 'date-time' ? instants : fitting },
    { weight: 1, arbitrary: format === 'date-time' ? oddInstants : fc.constantFrom(...traps) },
  )
}

const callsOf = (
  url: string,
  operation: Operation,
): fc.Arbitrary<{ path: Map<string, string>; query: string; body: unknown }> => {
  const named = (where: string) => (operation.parameters ?? []).filter((one) => one.in === where)
  const known = idsByPath.find(([start]) => url.startsWith(start))?.[1]
  const likely = known === undefined ? [] : Array.from({ length: 12 }, () => known)
  const query = fc.record(
    Object.fromEntries(named('query').map(({ name, schema }) => [name, valuesOf(schema)])),
    { requiredKeys: [] },
  )
  const path = fc.tuple(
    ...named('path').map(({ name }) => fc.constantFrom(...likely, ...ids).map((id) => [name, id] as const)),
  )
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema
  return fc.record({
    path: path.map((parts) => new Map(parts)),
    query: query.map((values) =>
      Object.entries(values)
        .map(
          ([name, value]) =>
            `${name}=${encodeURIComponent(wellFormed(typeof value === 'string' ? value : (JSON.stringify(value) ?? '')))}`,
        )
        .join('&'),
    ),
    body: body === undefined ? fc.constant(undefined) : valuesOf(body),
  })
}

/** Half of a surrogate pair has no percent-encoding. */
const wellFormed = (text: string): string => text.replaceAll(/\p{Surrogate}/gu, '\ufffd')

/** What Temporal or Stripe do at their own pace is tried elsewhere. */
const SLOW = new Set(['getReadiness'])
const CASES_EACH = 12

test(
  'whatever an operation is sent, it answers as its document says, and never with a 5xx',
  { timeout: 240_000 },
  async () => {
    let sent = 0
    const failed: string[] = []
    for (const [path, methods] of Object.entries(document.paths))
      for (const [method, operation] of Object.entries(methods)) {
        if (SLOW.has(operation.operationId)) continue
        const type = Object.keys(operation.requestBody?.content ?? {})[0] ?? 'application/json'
        for (const call of fc.sample(callsOf(path, operation), { numRuns: CASES_EACH, seed: 20_260_101 })) {
          const url = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
            encodeURIComponent(call.path.get(name) ?? 'x'),
          )
          const response = await fetch(`${installation.url}${url}?${call.query}`, {
            method: method.toUpperCase(),
            ...(call.body !== undefined && {
              headers: { 'content-type': type },
              body: JSON.stringify(call.body),
            }),
          })
          sent += 1
          const text = await response.text()
          // An answer that differs from its schema is a 500 here.
          if (response.status >= 500 && response.status !== 501)
            failed.push(`${operation.operationId} ${JSON.stringify(call)}: ${text}`)
          if (
            response.status >= 400 &&
            !response.headers.get('content-type')?.startsWith('application/problem+json')
          )
            failed.push(`${operation.operationId}: ${response.status} is no problem document`)
        }
      }
    expect(failed.slice(0, 5)).toEqual([])
    expect(sent).toBeGreaterThan(1000)
  },
)
