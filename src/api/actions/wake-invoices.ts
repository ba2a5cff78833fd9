import { openInvoiceIds } from '../../db/stores/app-care.ts'
import type { ApiDeps } from '../deps.ts'

/** More wait out their time: five minutes. */
const AT_ONCE = 500

/** Invoices that wait for a key that works try again now. Best effort: by themselves they do, too. */
export async function wakeInvoices(deps: ApiDeps, appId: string): Promise<void> {
  const ids = await openInvoiceIds(deps.db, appId, AT_ONCE)
  try {
    for (const id of ids) await deps.temporal.hurryInvoice(id)
  } catch (error) {
    deps.log.warn({ appId, err: error }, 'invoices go on when they try again by themselves')
  }
}
