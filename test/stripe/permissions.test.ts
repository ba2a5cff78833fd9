import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stripePermissions } from '../../src/stripe/permissions.ts'
import { startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => await world.close())

async function setKey(body: object): Promise<void> {
  await fetch(`${world.url}/_sandbox/keys`, { method: 'POST', body: JSON.stringify(body) })
}

async function objects(): Promise<unknown> {
  const dump = (await (await fetch(`${world.url}/_sandbox/dump`)).json()) as Record<string, object[]>
  const { idempotency: _kept, ...tables } = dump
  return tables
}

test('the permissions that a key lacks are found, and asking changes nothing', async () => {
  const key = 'rk_test_probed'
  await setKey({ key, permissions: ['customer:write', 'invoice:write', 'event:read'] })
  const before = await objects()
  const missing = await world.gateway.probePermissions(key)
  expect(await objects()).toEqual(before)
  const granted = ['rak_customer_write', 'rak_invoice_write', 'rak_event_read']
  expect(missing.map(({ slug }) => slug)).toEqual(
    stripePermissions.map(({ slug }) => slug).filter((slug) => !granted.includes(slug)),
  )
  expect(missing.every(({ slug, named }) => named === slug)).toBe(true)
})

test('a secret key lacks nothing', async () => {
  expect(await world.gateway.probePermissions('sk_test_sandbox')).toEqual([])
})

test('a key that Stripe does not accept is no key that lacks permissions', async () => {
  await setKey({ key: 'rk_test_gone', revoked: 'deleted' })
  await expect(world.gateway.probePermissions('rk_test_gone')).rejects.toMatchObject({
    failure: { kind: 'auth', code: 'unauthorized' },
  })
})

test('the documentation has each permission, what it is for and what is lost without it', () => {
  const page = readFileSync(new URL('../../docs/stripe.md', import.meta.url), 'utf8')
  const rows = stripePermissions.map(
    ({ slug, neededFor, withoutIt, required }) =>
      `| \`${slug}\`${required ? ' (required)' : ''} | ${neededFor} | ${withoutIt} |`,
  )
  for (const row of rows) expect(page).toContain(row)
})
