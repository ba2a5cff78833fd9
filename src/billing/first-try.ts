import type { StoredInvoice } from '../db/stores/closings.ts'
import { searchSince } from './search-since.ts'

const HOUR_MS = 3_600_000
/** Stripe keeps what it answered under a key for 24 hours at least. */
const KEY_ANSWERS_MS = 20 * HOUR_MS
/** So far apart the clocks of who writes an instant may be, as where Stripe is searched. */
const CLOCK_SKEW_MS = HOUR_MS

/**
 * Whether Stripe may have the invoice of a closing that was written just now, so that it is looked for before it is made. This
 * life of the database cannot have sent it: whoever tries again does not come by here. An earlier life, before a restore, may
 * have: its closing, under whatever key, or a run of the period before it, which may be older than any key. So nothing of the
 * database may have been lost since the period began. A closing in due time is answered by its key besides, should somebody
 * have taken its rows out by hand.
 */
export function mayBeAtStripe({ invoice, aliveSince, storedAt }: StoredInvoice): boolean {
  const sinceMs = searchSince(invoice)
  if (sinceMs === null || aliveSince === null) return true
  if (storedAt.getTime() - invoice.closingAt.getTime() > KEY_ANSWERS_MS) return true
  return sinceMs - CLOCK_SKEW_MS < aliveSince.getTime()
}
