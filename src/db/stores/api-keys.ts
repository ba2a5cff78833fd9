import { hash, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'

export const apiKeyScopes = ['ingest', 'read', 'admin'] as const
/** `admin` may do everything. */
export type ApiKeyScope = (typeof apiKeyScopes)[number]

export interface ApiKey {
  readonly id: string
  readonly name: string
  /** The first characters, for people to tell keys apart. */
  readonly keyMask: string
  readonly scopes: readonly string[]
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
}

const KEY_PREFIX = 'per_'
const KEY_BYTES = 32
const MASK_LENGTH = 9
const columns = ['id', 'name', 'keyMask', 'scopes', 'createdAt', 'lastUsedAt', 'revokedAt'] as const

/** A new key: 256 random bits. It is shown once; only its hash is stored. */
export function generateApiKey(): string {
  return `${KEY_PREFIX}${randomBytes(KEY_BYTES).toString('base64url')}`
}

/** SHA-256: a slow hash is for passwords, not for 256 random bits. */
export function hashApiKey(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

export interface NewApiKey {
  readonly id: string
  readonly name: string
  readonly key: string
  readonly scopes: readonly ApiKeyScope[]
}

export async function insertApiKey(db: Db, { id, name, key, scopes }: NewApiKey): Promise<ApiKey> {
  const row = {
    id,
    name,
    keyHash: hashApiKey(key),
    keyMask: `${key.slice(0, MASK_LENGTH)}…`,
    scopes: [...scopes],
  }
  return db.insertInto('apiKeys').values(row).returning(columns).executeTakeFirstOrThrow()
}

/** By the hash of what was presented: an index look-up of a digest leaks no timing about the key. */
export async function findApiKey(db: Db, keyHash: Buffer): Promise<ApiKey | null> {
  return (await keyByHash(db, keyHash))[0] ?? null
}

const keyByHash = prepared((db, keyHash: Buffer) =>
  db.selectFrom('apiKeys').select(columns).where('keyHash', '=', keyHash).compile(),
)

export async function listApiKeys(db: Db): Promise<readonly ApiKey[]> {
  return db.selectFrom('apiKeys').select(columns).orderBy('createdAt').orderBy('id').execute()
}

/** Returns null when there is no such key; revoking twice keeps the first instant. */
export async function revokeApiKey(db: Db, id: string, now: Date): Promise<ApiKey | null> {
  const row = await db
    .updateTable('apiKeys')
    .set((eb) => ({ revokedAt: eb.fn.coalesce('revokedAt', eb.val(now)) }))
    .where('id', '=', id)
    .returning(columns)
    .executeTakeFirst()
  return row ?? null
}

export async function touchApiKey(db: Db, id: string, now: Date): Promise<void> {
  await db.updateTable('apiKeys').set({ lastUsedAt: now }).where('id', '=', id).execute()
}

/** Revoked keys count: a database that ever had a key never becomes open again. */
export async function countApiKeys(db: Db): Promise<number> {
  const { count } = await db
    .selectFrom('apiKeys')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

export async function anyApiKeyExists(db: Db): Promise<boolean> {
  return (await db.selectFrom('apiKeys').select('id').limit(1).executeTakeFirst()) !== undefined
}

/** The server's version, when it answers. */
export async function checkDatabase(db: Db): Promise<string> {
  const { rows } = await sql<{
    version: string
  }>`select current_setting('server_version') as version`.execute(db)
  return `PostgreSQL ${rows[0]?.version ?? 'of unknown version'}`
}
