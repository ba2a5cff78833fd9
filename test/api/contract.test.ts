import { readFile } from 'node:fs/promises'
import { OpenMeter } from '@openmeter/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { contractOperations } from '../../src/api/contract-operations.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

interface ClientMethod {
  /** e.g. `billing.profiles.create` */
  readonly name: string
  /** e.g. `POST /api/v1/billing/profiles` */
  readonly call: string
}

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.close())

/** Calls every method of the published client, and notes what it would send. */
async function clientMethods(): Promise<readonly ClientMethod[]> {
  const sent: string[] = []
  const recorder = async (request: Request): Promise<Response> => {
    sent.push(`${request.method} ${decodeURIComponent(new URL(request.url).pathname)}`)
    return new Response('{}', { headers: { 'content-type': 'application/json' } })
  }
  const client = new OpenMeter({ baseUrl: 'http://127.0.0.1', fetch: recorder })
  const methods: ClientMethod[] = []
  const visit = async (part: object, path: string): Promise<void> => {
    for (const [name, inner] of Object.entries(part)) {
      const isResource = typeof inner === 'object' && inner !== null && !['client', 'config'].includes(name)
      if (isResource) await visit(inner, `${path}${name}.`)
    }
    const own =
      path === ''
        ? []
        : Object.getOwnPropertyNames(Object.getPrototypeOf(part)).filter((name) => name !== 'constructor')
    for (const name of own) {
      sent.length = 0
      const method: unknown = Reflect.get(part, name)
      if (typeof method !== 'function') continue
      // Placeholders in place of ids: what matters is where it goes.
      await Promise.resolve(Reflect.apply(method, part, [':a', ':b', ':c', ':d'])).catch(() => undefined)
      methods.push({ name: `${path}${name}`, call: sent[0] ?? '' })
    }
  }
  await visit(client, '')
  return methods
}

const shape = (call: string): string => call.replaceAll(/:\w+/g, ':')

/** `| \`method\` | \`call\` | state |` rows of docs/openmeter.md. */
async function documented(): Promise<ReadonlyMap<string, { readonly call: string; readonly state: string }>> {
  const text = await readFile(new URL('../../docs/openmeter.md', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| `([\w.]+)` \| `([A-Z]+ [^`]+)` \| (\S+)/gm)]
  return new Map(rows.map(([, name = '', call = '', state = '']) => [name, { call, state }]))
}

test('docs/openmeter.md lists every method of the client, with the call it makes', async () => {
  const methods = await clientMethods()
  const table = await documented()
  expect(methods.length).toBeGreaterThan(100)
  expect([...table.keys()].sort()).toEqual(methods.map(({ name }) => name).sort())
  for (const { name, call } of methods) {
    if (call !== '') expect(shape(table.get(name)?.call ?? ''), name).toBe(shape(call))
  }
})

test('docs/openmeter.md says done where a route serves it, and 501 where none does', async () => {
  const served = new Map(
    contractOperations.map(({ method, url }) => [shape(`${method} ${url}`), { method, url }]),
  )
  for (const [name, { call, state }] of await documented()) {
    const operation = served.get(shape(call))
    expect(operation, `${name}: ${call}`).toBeDefined()
    if (operation === undefined) continue
    const answer = await api.app.inject({
      method: operation.method,
      url: operation.url.replaceAll(/:\w+/g, 'none'),
    })
    const isServed = answer.statusCode !== 501
    expect(isServed ? 'done' : '501', `${name}: ${call}`).toBe(state)
  }
})
