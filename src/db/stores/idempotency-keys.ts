import { sql } from 'kysely'
import type { Db } from '../connection.ts'

// By the database's clock: to a process whose own is a minute ahead, every claim of the others would be of one that crashed.
const now = sql<Date>`now()`
/** Before this the holder of a claim is taken to have crashed. */
const claimExpired = sql<Date>`now() - interval '1 minute'`
/** Before this a key is forgotten and may be used for something else. */
const forgotten = sql<Date>`now() - interval '1 day'`

export interface StoredAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

interface KeyHolder {
  readonly caller: string
  readonly key: string
}

/** One claim of a key: one that was taken over is another. */
export interface HeldKey extends KeyHolder {
  /** When it was claimed, as the database says it. */
  readonly claimedAt: string
}

export interface KeyClaim extends KeyHolder {
  readonly method: string
  readonly path: string
  /** Digest of method, address and body: what makes two requests the same. */
  readonly bodyHash: Buffer
}

export type ClaimResult =
  | { readonly kind: 'claimed'; readonly claimedAt: string }
  | { readonly kind: 'answered'; readonly answer: StoredAnswer }
  | { readonly kind: 'in_flight' }
  | { readonly kind: 'reused' }

/** Takes the key, or says what became of the request that took it. One statement decides, so two callers cannot both win. */
export async function claimIdempotencyKey(db: Db, claim: KeyClaim): Promise<ClaimResult> {
  const { caller, key, method, path, bodyHash } = claim
  const fresh = {
    method,
    path,
    bodyHash,
    status: null,
    headers: null,
    body: null,
    createdAt: now,
    completedAt: null,
  }
  const taken = await db
    .insertInto('idempotencyKeys')
    .values({ caller, key, ...fresh })
    .onConflict((oc) =>
      oc
        .columns(['caller', 'key'])
        .doUpdateSet(fresh)
        .where((eb) =>
          eb.or([
            eb('idempotencyKeys.createdAt', '<', forgotten),
            eb.and([
              eb('idempotencyKeys.completedAt', 'is', null),
              eb('idempotencyKeys.createdAt', '<', claimExpired),
              eb('idempotencyKeys.bodyHash', '=', bodyHash),
            ]),
          ]),
        ),
    )
    // As text: a Date has no microseconds.
    .returning(sql<string>`created_at::text`.as('claimedAt'))
    .executeTakeFirst()
  if (taken !== undefined) return { kind: 'claimed', claimedAt: taken.claimedAt }
  const held = await db
    .selectFrom('idempotencyKeys')
    .selectAll()
    .where('caller', '=', caller)
    .where('key', '=', key)
    .executeTakeFirst()
  if (held === undefined) return { kind: 'in_flight' }
  if (!held.bodyHash.equals(bodyHash)) return { kind: 'reused' }
  if (held.completedAt === null || held.status === null) return { kind: 'in_flight' }
  const headers = (held.headers ?? {}) as Record<string, string>
  return { kind: 'answered', answer: { status: held.status, headers, body: held.body } }
}

/** Keeps the answer. Of a claim that was taken over nothing is kept: what its key answers is now another's to say. */
export async function completeIdempotencyKey(
  db: Db,
  { caller, key, claimedAt }: HeldKey,
  answer: StoredAnswer,
): Promise<void> {
  await db
    .updateTable('idempotencyKeys')
    .set({
      status: answer.status,
      headers: JSON.stringify(answer.headers),
      body: answer.body,
      completedAt: now,
    })
    .where('caller', '=', caller)
    .where('key', '=', key)
    .where('createdAt', '=', sql<Date>`${claimedAt}::timestamptz`)
    .execute()
}

/** Forgets a claim whose request failed on our side: the caller may try again at once. */
export async function releaseIdempotencyKey(db: Db, { caller, key, claimedAt }: HeldKey): Promise<void> {
  await db
    .deleteFrom('idempotencyKeys')
    .where('caller', '=', caller)
    .where('key', '=', key)
    .where('createdAt', '=', sql<Date>`${claimedAt}::timestamptz`)
    .where('completedAt', 'is', null)
    .execute()
}

/** Removes what is older than a day; returns how many. */
export async function pruneIdempotencyKeys(db: Db): Promise<number> {
  const result = await db.deleteFrom('idempotencyKeys').where('createdAt', '<', forgotten).executeTakeFirst()
  return Number(result.numDeletedRows)
}
