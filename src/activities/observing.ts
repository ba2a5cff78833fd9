import type { SubscriptionStepResult } from '../billing/subscription-step.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
import type { ActivityDeps } from './deps.ts'

const sinceMs = (atMs: number): number => Math.max(Date.now() - atMs, 0) / 1000

/** How long after its end a period was closed; a test clock's time says nothing about ours. */
export function observeClosing({ observer }: ActivityDeps, { closed }: SubscriptionStepResult): void {
  if (closed !== undefined && !closed.onTestClock) observer?.closed(sinceMs(closed.atMs))
}

/** How long after its period an invoice was paid: told by the step that found it so, which wrote its own instant there. */
export function observePaid({ observer }: ActivityDeps, row: InvoiceRow, asOfMs: number): void {
  const isPaidNow = row.status === 'paid' && row.paidAt?.getTime() === asOfMs
  const { onTestClock } = row.customerSnapshot as { readonly onTestClock?: boolean }
  if (isPaidNow && onTestClock !== true) observer?.paid(sinceMs(row.closingAt.getTime()))
}
