import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import { insertProfile } from '../api/billing-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

/** An installed account at a sandbox of its own, billed by the only profile: what the relay delivers for, without workers. */
export interface Account {
  readonly database: TestDatabase
  readonly sandbox: Awaited<ReturnType<typeof startSandbox>>
  readonly stripe: StripeGateway
  readonly appId: string
  readonly profileId: string
  readonly close: () => Promise<void>
}

export async function startAccount(): Promise<Account> {
  const database = await createTestDatabase()
  const sandbox = await startSandbox({ port: 0 })
  const masterKey = 'a master key of at least thirty-two bytes'
  const stripe = createStripeGateway({ masterKey, baseUrl: sandbox.url, limits: false })
  const { appId, profileId } = await insertProfile(database.db)
  const apiKeyEncrypted = stripe.encryptSecret('sk_test_sandbox', { appId, field: 'api_key' })
  await database.db.updateTable('apps').set({ apiKeyEncrypted }).execute()
  const close = async (): Promise<void> => {
    await sandbox.close()
    await database.drop()
  }
  return { database, sandbox, stripe, appId, profileId, close }
}
