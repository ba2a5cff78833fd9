import { waitingInvoiceIds } from '../../db/stores/app-care.ts'
import { invoiceStart } from '../../db/stores/workflow-starts.ts'
import type { ApiDeps } from '../deps.ts'

/** More wait out their time: they try again by themselves. */
const AT_ONCE = 500

/** Invoices of an app that may wait for a key that works go on now. Best effort. */
export async function wakeInvoices(deps: ApiDeps, appId: string): Promise<void> {
  const ids = await waitingInvoiceIds(deps.db, appId, AT_ONCE)
  try {
    for (const id of ids) {
      const start = await invoiceStart(deps.db, id)
      const signal = { eventId: deps.newId(), type: 'app.key_replaced' }
      if (start !== undefined) await deps.temporal.signalInvoice(start, signal)
    }
  } catch (error) {
    deps.log.warn({ appId, err: error }, 'invoices go on when they try again by themselves')
  }
}
