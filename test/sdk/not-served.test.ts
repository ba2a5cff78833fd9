import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi } from '../api/support.ts'
import type { TestApi } from '../api/support.ts'
import { checkBody } from './checked-client.ts'
import { readContract } from './contract-schemas.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.close())

/** Which methods there are and which of them are served is held by test/api/contract.test.ts. */
async function notServed(): Promise<readonly { method: string; url: string }[]> {
  const text = await readFile(new URL('../../docs/openmeter.md', import.meta.url), 'utf8')
  return [...text.matchAll(/^\| `[\w.]+` \| `([A-Z]+) ([^`]+)` \| 501/gm)].map(
    ([, method = '', url = '']) => ({
      method,
      url: url.replaceAll(/:\w+/g, 'none'),
    }),
  )
}

test('every call that docs/openmeter.md lists as 501 answers a problem with a code', async () => {
  const { calls } = readContract()
  const listed = await notServed()
  expect(listed.length).toBeGreaterThan(50)
  for (const { method, url } of listed) {
    const answer = await api.app.inject({ url, method: methodOf(method) })
    const body = answer.json<{ code?: string }>()
    expect([answer.statusCode, typeof body.code], `${method} ${url}`).toEqual([501, 'string'])
    const call = calls.find((one) => one.method === method && matches(one.path, url))
    if (call === undefined) throw new Error(`the contract has no ${method} ${url}`)
    const headers = new Headers({ 'content-type': String(answer.headers['content-type']) })
    expect(checkBody(call, { status: 501, headers }, answer.body)).toBeNull()
  }
})

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
function methodOf(text: string): (typeof methods)[number] {
  const method = methods.find((known) => known === text)
  if (method === undefined) throw new Error(`${text} is no method`)
  return method
}

const matches = (path: string, url: string): boolean =>
  new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(url)
