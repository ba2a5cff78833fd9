import { afterAll, beforeAll, expect, test } from 'vitest'
import { withoutCallSite } from '../../src/stripe/without-call-site.ts'
import { startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => await world.close())

const traces: { prepareStackTrace?: ((error: Error, sites: NodeJS.CallSite[]) => unknown) | undefined } =
  Error

/** Files from which the stack traces were begun that were written while `act` ran. */
async function writtenBy(act: () => Promise<unknown>): Promise<readonly string[]> {
  const files: string[] = []
  const { prepareStackTrace } = traces
  traces.prepareStackTrace = (_error, [site]) => {
    files.push(site?.getFileName() ?? '')
    return ''
  }
  try {
    await act()
  } finally {
    traces.prepareStackTrace = prepareStackTrace
  }
  return files
}

test('a request to Stripe that succeeds writes no stack trace', async () => {
  const files = await writtenBy(async () => await world.gateway.probePermissions('sk_test_sandbox'))
  expect(files.filter((file) => file.includes('StripeResource'))).toEqual([])
})

test('a mistake made as a request begins says where it was made, as does one made after', () => {
  const mistaken = (): never => {
    throw new TypeError('a mistake')
  }
  const stackOf = (act: () => unknown): string => {
    try {
      act()
    } catch (error) {
      return error instanceof Error ? (error.stack ?? '') : ''
    }
    return ''
  }
  expect(stackOf(() => withoutCallSite(mistaken))).toContain('at mistaken')
  expect(stackOf(mistaken)).toContain('at mistaken')
})
