import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { resealSecrets } from '../../src/cli/reseal-secrets.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { insertProfile } from '../api/billing-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

const oldKey = 'o'.repeat(32)
const newKey = 'n'.repeat(32)
const before = createStripeGateway({ masterKey: oldKey })
const during = createStripeGateway({ masterKey: newKey, previousMasterKey: oldKey })
const after = createStripeGateway({ masterKey: newKey })
const APPS = 3

let database: TestDatabase
let appIds: readonly string[]

beforeAll(async () => {
  database = await createTestDatabase()
  const ids: string[] = []
  for (let n = 0; n < APPS; n += 1) {
    const { appId } = await insertProfile(database.db)
    ids.push(appId)
    await database.db.updateTable('apps').set({ stripeAccountId: appId }).where('id', '=', appId).execute()
    await database.db.updateTable('billingProfiles').set({ isDefault: false }).execute()
  }
  appIds = ids.sort()
})
afterAll(() => database.drop())

beforeEach(async () => {
  for (const id of appIds) {
    const sealed = (field: 'api_key' | 'webhook_secret') =>
      before.encryptSecret(`${field} of ${id}`, { appId: id, field })
    await database.db
      .updateTable('apps')
      .set({
        apiKeyEncrypted: sealed('api_key'),
        webhookSecretEncrypted: sealed('webhook_secret'),
        webhookSecretPreviousEncrypted: sealed('webhook_secret'),
      })
      .where('id', '=', id)
      .execute()
  }
})

/** How many secrets the new key alone opens, each to what it was. */
async function underNewKey(): Promise<number> {
  const rows = await database.db.selectFrom('apps').selectAll().execute()
  const opened = rows.flatMap(({ id, ...row }) =>
    (
      [
        ['api_key', row.apiKeyEncrypted],
        ['webhook_secret', row.webhookSecretEncrypted],
        ['webhook_secret', row.webhookSecretPreviousEncrypted],
      ] as const
    ).filter(([field, sealed]) => {
      try {
        return after.decryptSecret(sealed ?? '', { appId: id, field }) === `${field} of ${id}`
      } catch {
        return false
      }
    }),
  )
  return opened.length
}

test('every stored secret is put under the new key, and a second run has nothing to do', async () => {
  expect(await underNewKey()).toBe(0)
  expect(await resealSecrets(database.db, during)).toEqual({ resealed: 9, present: 0, unreadable: [] })
  expect(await underNewKey()).toBe(9)
  expect(await resealSecrets(database.db, after)).toEqual({ resealed: 0, present: 9, unreadable: [] })
})

test('a run that dies in the middle leaves every secret readable, and the next does the rest', async () => {
  let calls = 0
  const dying: typeof during = {
    ...during,
    resealSecret(sealed, owner) {
      calls += 1
      if (calls === 5) throw new Error('killed')
      return during.resealSecret(sealed, owner)
    },
  }
  await expect(resealSecrets(database.db, dying)).rejects.toThrow('killed')
  expect(await underNewKey()).toBe(4)
  const rows = await database.db.selectFrom('apps').selectAll().execute()
  for (const { id, apiKeyEncrypted } of rows)
    expect(during.decryptSecret(apiKeyEncrypted ?? '', { appId: id, field: 'api_key' })).toBe(
      `api_key of ${id}`,
    )
  expect(await resealSecrets(database.db, during)).toEqual({ resealed: 5, present: 4, unreadable: [] })
})

test('a secret that somebody replaces meanwhile keeps what they put there', async () => {
  const [id = ''] = appIds
  let replaced = false
  const raced = {
    resealSecret(sealed: string, owner: { appId: string; field: 'api_key' | 'webhook_secret' }) {
      replaced ||= owner.appId === id
      return during.resealSecret(sealed, owner)
    },
  }
  const anew = before.encryptSecret('another', { appId: id, field: 'api_key' })
  const racing = resealSecrets(database.db, raced)
  await database.db.updateTable('apps').set({ apiKeyEncrypted: anew }).where('id', '=', id).execute()
  await racing
  await resealSecrets(database.db, during)
  const row = await database.db.selectFrom('apps').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  expect(replaced).toBe(true)
  expect(after.decryptSecret(row.apiKeyEncrypted ?? '', { appId: id, field: 'api_key' })).toBe('another')
})

test('with the wrong previous key nothing is changed and each is named; the command line says what to do', async () => {
  const wrong = createStripeGateway({ masterKey: newKey, previousMasterKey: 'w'.repeat(32) })
  const report = await resealSecrets(database.db, wrong)
  expect(report).toMatchObject({ resealed: 0, present: 0 })
  expect(report.unreadable).toHaveLength(9)
  const run = promisify(execFile)('npx', ['tsx', 'cli.ts', 'secrets', 'reseal', '--json'], {
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      PERENNIAL_MASTER_KEY: newKey,
      PERENNIAL_MASTER_KEY_PREVIOUS: 'w'.repeat(32),
    },
  })
  await expect(run).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('9 secrets open with neither key'),
  })
  expect((await resealSecrets(database.db, during)).resealed).toBe(9)
})
