import type { Db } from '../db/connection.ts'
import { insertSubscriptionAccess, isAccessWaitedFor } from '../db/stores/access.ts'
import { pendingAccessRequests, settleAccessRequests } from '../db/stores/access-requests.ts'
import type { AccessRequestRow } from '../db/stores/access-requests.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { graceEndsAt } from '../domain/dunning.ts'
import { loadAccess } from './access.ts'
import type { SubscriptionAccess } from './access.ts'
import { invoiceSettings } from './invoice-settings.ts'

/** An invoice as it was and as it has just been written. */
interface InvoiceChange {
  readonly before: InvoiceRow
  readonly after: InvoiceRow
  readonly asOfMs: number
}

/** Whether a change of an invoice decides about its customer's access: then this is locked with it. */
export const decidesAccess = (before: InvoiceRow, status: string | undefined): boolean =>
  (status === 'paid' || status === 'voided') && status !== before.status

/**
 * What an invoice that is paid or voided now does to access, in the transaction that books it, which has locked the access: the
 * first payment opens a gated subscription for good, and what was asked for before is granted. A second call finds what the
 * first did.
 */
export async function openAccess(trx: Db, { before, after, asOfMs }: InvoiceChange): Promise<void> {
  // Most payments open nothing: what follows asks for every subscription of the customer.
  if (before.firstFailedAt === null && !(await isAccessWaitedFor(trx, after))) return
  const all = await loadAccess(trx, after.customerId, asOfMs)
  const own = all.find(({ subscription }) => subscription.id === after.subscriptionId)
  if (own !== undefined) await recordOpening(trx, own, { before, after, asOfMs })
  await grant(trx, await pendingAccessRequests(trx, after.customerId), all, asOfMs)
}

async function recordOpening(
  trx: Db,
  { subscription, firstInvoice, access }: SubscriptionAccess,
  { before, after, asOfMs }: InvoiceChange,
): Promise<void> {
  const at = new Date(asOfMs)
  const subject = { subjectType: 'subscription', subjectId: subscription.id, at } as const
  const name = after.number ?? after.id
  if (subscription.accessGate !== 'none' && after.status === 'paid' && firstInvoice?.id === after.id) {
    const opened = { subscriptionId: subscription.id, invoiceId: after.id, openedAt: at }
    if (!(await insertSubscriptionAccess(trx, opened))) return
    const detail = `Access granted: its first invoice ${name} is paid`
    return await appendTimeline(trx, [{ ...subject, kind: 'access_granted', detail }])
  }
  if (access !== 'granted' || !hadSuspended(before, asOfMs)) return
  const detail = `Access restored: the invoice ${name} is ${after.status}`
  await appendTimeline(trx, [{ ...subject, kind: 'access_restored', detail }])
}

function hadSuspended(before: InvoiceRow, asOfMs: number): boolean {
  if (before.firstFailedAt === null) return false
  return graceEndsAt(invoiceSettings(before).dunning, before.firstFailedAt.getTime()) <= asOfMs
}

interface Settling {
  readonly customerId: string
  /** The customer's own present. */
  readonly asOfMs: number
}

/** Grants what is pending and open by now: a closing that found nothing to pay opens too, and so does a start. */
export async function grantWhatIsOpen(trx: Db, { customerId, asOfMs }: Settling): Promise<void> {
  const pending = await pendingAccessRequests(trx, customerId)
  if (pending.length === 0) return
  await grant(trx, pending, await loadAccess(trx, customerId, asOfMs), asOfMs)
}

async function grant(
  trx: Db,
  pending: readonly AccessRequestRow[],
  access: readonly SubscriptionAccess[],
  asOfMs: number,
): Promise<void> {
  const open = pending.filter((request) => isOpen(request, access))
  const ids = open.map(({ id }) => id)
  await settleAccessRequests(trx, ids, { status: 'granted', grantedAt: new Date(asOfMs) })
}

/** Whether what is asked for is to be had: of the subscription that is named, and the feature that is. */
export function isOpen(
  { subscriptionId, featureKey }: Pick<AccessRequestRow, 'subscriptionId' | 'featureKey'>,
  access: readonly SubscriptionAccess[],
): boolean {
  return access.some(
    (each) =>
      each.access === 'granted' &&
      (subscriptionId === null || each.subscription.id === subscriptionId) &&
      (featureKey === null || each.features.some((feature) => feature.featureKey === featureKey)),
  )
}
