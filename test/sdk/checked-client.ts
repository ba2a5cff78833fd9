import { OpenMeter } from '@openmeter/sdk'
import { Ajv } from 'ajv'
import type { ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import { readContract } from './contract-schemas.ts'
import type { ContractCall, JsonSchema } from './contract-schemas.ts'

export interface CheckedClient {
  /** The published client, unchanged: only its transport is watched. */
  readonly client: OpenMeter
  /** Operations with the statuses that were answered and found to be as the client's types say, e.g. `createMeter 200`. */
  readonly checked: ReadonlySet<string>
}

const contract = readContract()
const ajv = new Ajv({ strict: false, allErrors: true })
ajvFormats.default(ajv)
ajv.addSchema(contract.document)
const validators = new Map<JsonSchema, ValidateFunction>()

/** Every body that comes over the wire is validated before the client sees it: a wrong one fails the call. */
export function checkedClient(baseUrl: string): CheckedClient {
  const checked = new Set<string>()
  const watch = async (request: Request): Promise<Response> => {
    const response = await fetch(request)
    const call = callOf(request)
    const problem = checkBody(call, response, await response.clone().text())
    if (problem !== null) {
      const { pathname } = new URL(request.url)
      throw new Error(`${request.method} ${pathname} answered ${response.status}: ${problem}`)
    }
    checked.add(`${call.operationId} ${response.status}`)
    return response
  }
  return { client: new OpenMeter({ baseUrl, fetch: watch }), checked }
}

/** Null, or in words what the contract does not allow about the answer. */
export function checkBody(
  call: ContractCall,
  response: { readonly status: number; readonly headers: Headers },
  text: string,
): string | null {
  const bodies = call.responses.get(String(response.status)) ?? call.responses.get('default')
  if (bodies === undefined || (response.status < 400 && !call.responses.has(String(response.status))))
    return `the contract of ${call.operationId} knows no such status`
  if (bodies.size === 0) return text === '' ? null : `a body where there is none: ${text}`
  const contentType = (response.headers.get('content-type') ?? '').replace(/;.*/, '')
  const schema = bodies.get(contentType)
  if (schema === undefined) return `the content type ${contentType} is not of ${call.operationId}`
  const validate = validatorOf(schema)
  if (validate(JSON.parse(text))) return null
  return `${ajv.errorsText(validate.errors, { separator: '\n' })}\nin ${text}`
}

/** The call of the contract that a request makes. Fixed parts of a path come before placeholders. */
function callOf(request: Pick<Request, 'method' | 'url'>): ContractCall {
  const { pathname } = new URL(request.url)
  const found = contract.calls
    .filter(({ method, path }) => method === request.method && patternOf(path).test(pathname))
    .toSorted((a, b) => placeholders(a.path) - placeholders(b.path))
  if (found[0] === undefined) throw new Error(`the contract has no ${request.method} ${pathname}`)
  return found[0]
}

const placeholders = (path: string): number => path.split('{').length
const patternOf = (path: string): RegExp => new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`)

function validatorOf(schema: JsonSchema): ValidateFunction {
  const validate = validators.get(schema) ?? ajv.compile(schema)
  validators.set(schema, validate)
  return validate
}

/** The client types every answer as possibly missing; a missing one fails here. */
export function answered<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('the client answered nothing')
  return value
}
