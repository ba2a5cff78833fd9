import { findApp } from '../../db/stores/apps.ts'
import type { AppRow } from '../../db/stores/apps.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'

/** An installed app. Errors: not_found. */
export async function requireApp({ db }: Pick<ApiDeps, 'db'>, id: string): Promise<AppRow> {
  return found(await findApp(db, id), 'app', id)
}
