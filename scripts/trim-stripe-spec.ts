/**
 * Cuts Stripe's OpenAPI document down to the requests that our sandbox serves, for test/support/stripe-request-schemas.ts.
 *
 *   go mod download github.com/stripe/stripe-mock@v0.203.0
 *   npx tsx scripts/trim-stripe-spec.ts "$(go env GOMODCACHE)/github.com/stripe/stripe-mock@v0.203.0"
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { routes } from '../src/sandbox/routes.ts'

interface Schema {
  readonly [keyword: string]: unknown
}
interface Operation {
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly schema: Schema
  }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
}
interface Spec {
  readonly info: { readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const kept = new Set([
  'type',
  'enum',
  'anyOf',
  'items',
  'properties',
  'required',
  'additionalProperties',
  'maxLength',
  'minimum',
  'maximum',
])

/** Only what validates; an object that names its members takes no others. */
function trim(schema: unknown, isPropertyMap = false): unknown {
  if (Array.isArray(schema)) return schema.map((item) => trim(item))
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).filter(([key]) => isPropertyMap || kept.has(key))
  const trimmed = Object.fromEntries(
    entries.map(([key, value]) => [key, trim(value, !isPropertyMap && key === 'properties')]),
  )
  const isOpenObject = !isPropertyMap && 'properties' in trimmed && !('additionalProperties' in trimmed)
  return isOpenObject ? { ...trimmed, additionalProperties: false } : trimmed
}

function requestSchema(operation: Operation): unknown {
  const body = operation.requestBody?.content['application/x-www-form-urlencoded']?.schema
  const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query')
  const required = query.filter((parameter) => parameter.required === true).map((parameter) => parameter.name)
  const ofQuery = {
    type: 'object',
    properties: Object.fromEntries(query.map(({ name, schema }) => [name, schema])),
    ...(required.length > 0 ? { required } : {}),
  }
  return trim(body !== undefined && Object.keys(body).length > 0 && query.length === 0 ? body : ofQuery)
}

const [, , module] = process.argv
if (module === undefined) throw new Error('say where the stripe-mock module is')
const spec = JSON.parse(readFileSync(join(module, 'embedded/openapi/spec3.json'), 'utf8')) as Spec
const shape = (path: string) => path.replaceAll(/\{[^}]+\}|:[a-z]+/g, '*')
const served = new Set(routes.map(({ method, pattern }) => `${method} ${shape(pattern)}`))
const operations: Record<string, unknown> = {}
for (const [path, methods] of Object.entries(spec.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const name = `${method.toUpperCase()} ${shape(path)}`
    if (served.has(name)) operations[name] = requestSchema(operation)
  }
}
const folder = fileURLToPath(new URL('../test/support/stripe-spec/', import.meta.url))
const missing = [...served].filter((name) => !(name in operations))
if (missing.length > 0) console.warn(`not in the document: ${missing.join(', ')}`)
const lines = Object.entries(operations).map(
  ([name, schema]) => `    ${JSON.stringify(name)}: ${JSON.stringify(schema)}`,
)
const text = `{\n  "version": "${spec.info.version}",\n  "operations": {\n${lines.join(',\n')}\n  }\n}\n`
writeFileSync(join(folder, 'requests.json'), text)
copyFileSync(join(module, 'LICENSE'), join(folder, 'LICENSE'))
console.log(`${lines.length} operations, ${text.length} bytes, version ${spec.info.version}`)
