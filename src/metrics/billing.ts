import { Histogram } from 'prom-client'
import type { Registry } from 'prom-client'
import type { BillingObserver } from '../activities/deps.ts'

/** From a second to two days: closings wait for late usage and are spread by CLOSE_JITTER, cards are retried for days. */
const LAG_SECONDS = [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 48 * 3600]

/** How long after their period's end closings were done and invoices paid; customers on a test clock are left out. */
export function billingObserver(registry: Registry): BillingObserver {
  const registers = [registry]
  const closed = new Histogram({
    name: 'perennial_closing_lag_seconds',
    help: 'Time from the end of a period until it was closed; grace for late usage and jitter are in it',
    buckets: LAG_SECONDS,
    registers,
  })
  const paid = new Histogram({
    name: 'perennial_invoice_paid_lag_seconds',
    help: 'Time from the end of a period until its invoice was known to be paid',
    buckets: LAG_SECONDS,
    registers,
  })
  return { closed: (seconds) => closed.observe(seconds), paid: (seconds) => paid.observe(seconds) }
}
