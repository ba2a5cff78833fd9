import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiClient } from '../../src/cli/api-client.ts'
import { generateApiKey, insertApiKey } from '../../src/db/stores/api-keys.ts'
import { createCatalog } from '../../src/local/demo/catalog.ts'
import { isLetIn } from '../../src/local/demo/let-in.ts'
import { stripeClient } from '../../src/local/demo/stripe.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'

let installation: Installation
beforeAll(async () => {
  installation = await startInstallation({ worker: null })
})
afterAll(async () => await installation.close())

test('a demo that was interrupted is played again by the app that it installed', async () => {
  const api = apiClient(installation.url)
  const stripe = stripeClient(installation.sandboxUrl, 'sk_test_sandbox')
  const account = { stripeApiKey: 'sk_test_sandbox' }
  const first = await createCatalog(api, stripe, { ...account, suffix: '' })
  const second = await createCatalog(api, stripe, { ...account, suffix: '-2' })
  expect(second.appId).toBe(first.appId)
  expect([first.planKey, second.planKey]).toEqual(['pro', 'pro_2'])
})

test('from the first key on a start is let in with a key alone', async () => {
  expect(await isLetIn(installation.url, undefined)).toBe(true)
  const key = generateApiKey()
  const row = { id: ulid(), name: 'first', key, scopes: ['admin'] as const }
  await insertApiKey(installation.database.db, row)
  expect(await isLetIn(installation.url, key)).toBe(true)
  await expect.poll(async () => await isLetIn(installation.url, undefined)).toBe(false)
})
