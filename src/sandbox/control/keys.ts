import { newPermissions } from '../permissions.ts'
import type { KeyRecord } from '../records.ts'
import type { Call, ControlDeps, Handler } from './call.ts'
import { asRecord, BadCall } from './call.ts'

function readPermissions(given: unknown): readonly string[] | null {
  if (given === undefined || given === null) return null
  if (!Array.isArray(given)) throw new BadCall('permissions must be a list such as ["customer:write"]')
  const { slugs, unknown } = newPermissions(given.map(String))
  if (unknown.length > 0) throw new BadCall(`no such permission: ${unknown.join(', ')}`)
  return slugs
}

function readRevoked(given: unknown): KeyRecord['revoked'] {
  if (given === undefined || given === false) return null
  if (given === true || given === 'expired') return 'expired'
  if (given === 'deleted') return 'deleted'
  throw new BadCall('revoked must be true, "expired" or "deleted"')
}

/** Registers a key, or changes what is known of it; what the body does not name keeps its value. */
function putKey({ context }: ControlDeps, { body }: Call): unknown {
  const given = asRecord(body)
  const key = given['key']
  if (typeof key !== 'string' || !/^[rs]k_test_\w+$/.test(key))
    throw new BadCall('key must be an rk_test_ key')
  const { store } = context()
  const known = store.get('keys', key)
  const account = given['account']
  const record: KeyRecord = {
    id: key,
    permissions:
      'permissions' in given ? readPermissions(given['permissions']) : (known?.permissions ?? null),
    revoked: 'revoked' in given ? readRevoked(given['revoked']) : (known?.revoked ?? null),
    account: typeof account === 'string' ? account : (known?.account ?? null),
  }
  return store.transact(() => store.put('keys', record))
}

function removeKeys({ context }: ControlDeps, { rest }: Call): unknown {
  const { store } = context()
  const ids = [...store.all('keys')].map((key) => key.id).filter((id) => rest === '' || id === rest)
  store.transact(() => {
    for (const id of ids) store.remove('keys', id)
  })
  return { removed: ids.length }
}

/** Restricted keys and revoked ones; a key nobody registered may do everything. */
export const keyHandlers: Readonly<Record<string, Handler>> = {
  'GET /keys': ({ context }) => ({ keys: [...context().store.all('keys')] }),
  'POST /keys': putKey,
  'DELETE /keys': removeKeys,
  'DELETE /keys/': removeKeys,
}
