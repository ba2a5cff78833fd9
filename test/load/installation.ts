import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ulid } from 'ulid'
import { readLocalSettings } from '../../src/config.ts'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { generateApiKey, insertApiKey } from '../../src/db/stores/api-keys.ts'
import { closeDataFolder, dataFolder, openDataFolder } from '../../src/local/data-folder.ts'
import { freePort } from '../../src/local/ports.ts'
import { terminalProgress } from '../../src/local/progress.ts'
import { startStack } from '../../src/local/stack.ts'
import { caller } from '../support/caller.ts'
import type { Call } from '../support/caller.ts'

/** The product as `npm start` runs it, in processes of its own, with a key. */
export interface LoadedInstallation {
  readonly apiUrl: string
  readonly sandboxUrl: string
  readonly key: string
  readonly db: Database
  readonly pids: { readonly api: number; readonly worker: number }
  /** Throws where the answer is not a success. */
  readonly call: Call
  readonly stop: () => Promise<void>
}

/** Everything on free ports and in a folder of its own; the API works on at most `limit` requests at once. */
export async function startInstallation(limit: number): Promise<LoadedInstallation> {
  // Children inherit it.
  process.env['API_MAX_REQUESTS'] = String(limit)
  const folder = dataFolder(await mkdtemp(join(tmpdir(), 'perennial-load-')))
  await openDataFolder(folder, { reset: false })
  const stack = await startStack({
    folder,
    settings: { ...readLocalSettings({}), databaseUrl: process.env['DATABASE_URL'] },
    progress: terminalProgress(),
    apiPort: await freePort(),
    sandboxPort: await freePort(),
    usualPorts: false,
  })
  const { apiUrl, stripeUrl: sandboxUrl, databaseUrl } = stack.instance
  const db = openDatabase({ connectionString: databaseUrl, maxConnections: 2 })
  const key = generateApiKey()
  await insertApiKey(db, { id: ulid(), name: 'load', key, scopes: ['admin'] })
  const pidOf = async (name: string): Promise<number> =>
    (JSON.parse(await readFile(join(folder.records, `${name}.pid.json`), 'utf8')) as { pid: number }).pid
  const stop = async (): Promise<void> => {
    await db.destroy()
    await stack.stop()
    await closeDataFolder(folder)
    await rm(folder.root, { recursive: true, force: true })
  }
  return {
    apiUrl,
    sandboxUrl,
    key,
    db,
    call: caller(apiUrl, { authorization: `Bearer ${key}` }),
    stop,
    pids: { api: await pidOf('server'), worker: await pidOf('worker') },
  }
}
