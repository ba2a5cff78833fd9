import type { Db } from '../connection.ts'

/** Where secrets of apps stand, and what each is bound to. */
const places = [
  { column: 'apiKeyEncrypted', field: 'api_key' },
  { column: 'webhookSecretEncrypted', field: 'webhook_secret' },
  { column: 'webhookSecretPreviousEncrypted', field: 'webhook_secret' },
] as const
export type SecretColumn = (typeof places)[number]['column']

export interface SealedSecret {
  readonly appId: string
  readonly column: SecretColumn
  readonly field: (typeof places)[number]['field']
  readonly sealed: string
}

/** Every stored secret, the oldest app first. */
export async function listSealedSecrets(db: Db): Promise<readonly SealedSecret[]> {
  const columns = places.map(({ column }) => column)
  const rows = await db
    .selectFrom('apps')
    .select(['id', ...columns])
    .orderBy('id')
    .execute()
  return rows.flatMap((row) =>
    places.flatMap(({ column, field }) => {
      const sealed = row[column]
      return sealed === null ? [] : [{ appId: row.id, column, field, sealed }]
    }),
  )
}

/** Puts another seal on a secret; false where the secret was changed or moved meanwhile. */
export async function replaceSealedSecret(
  db: Db,
  { appId, column, sealed }: SealedSecret,
  resealed: string,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('apps')
    .set({ [column]: resealed })
    .where('id', '=', appId)
    .where(column, '=', sealed)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}
