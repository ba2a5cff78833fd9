import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { findApiKey, hashApiKey } from '../../src/db/stores/api-keys.ts'
import { createTestDatabase } from '../support/database.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('../../bin/perennial.mjs', import.meta.url))

test('a key is printed once, listed by its mask, and revoked', async () => {
  const { db, url, drop } = await createTestDatabase()
  const keys = async (...args: readonly string[]): Promise<unknown> => {
    const { stdout } = await run(process.execPath, [program, 'keys', ...args, '--json'], {
      env: { ...process.env, DATABASE_URL: url },
    })
    return stdout === '' ? null : JSON.parse(stdout)
  }
  try {
    const created = (await keys('create', 'ci', '--scope', 'ingest,read')) as {
      id: string
      key: string
      scopes: string[]
    }
    expect(created.scopes).toEqual(['ingest', 'read'])
    expect((await findApiKey(db, hashApiKey(created.key)))?.id).toBe(created.id)
    expect(JSON.stringify(await keys('list'))).not.toContain(created.key)
    expect(await keys('create', 'again', '--unless-any')).toBeNull()
    await keys('revoke', created.id)
    expect((await findApiKey(db, hashApiKey(created.key)))?.revokedAt).not.toBeNull()
  } finally {
    await drop()
  }
})
