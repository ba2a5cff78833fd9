import type { InvoiceRow } from '../db/stores/invoices.ts'
import { DomainError } from '../domain/errors.ts'
import type { CollectDeps } from './collect-deps.ts'

const notYet = (): DomainError =>
  new DomainError('not_implemented', 'billing through items of a Stripe subscription is not there yet')

/** Makes the pending items at Stripe add up to the invoice's lines. */
export function pushItems(_deps: CollectDeps, _row: InvoiceRow, _asOfMs: number): Promise<InvoiceRow> {
  return Promise.reject(notYet())
}

/** Takes back the items of an invoice that is not to be collected. */
export function withdrawItems(_deps: CollectDeps, _row: InvoiceRow): Promise<void> {
  return Promise.reject(notYet())
}

/** The closing's part: sends the lines a last time and leaves the invoice `issued`, `billed_by_stripe`. */
export function issueItems(_deps: CollectDeps, _row: InvoiceRow, _asOfMs: number): Promise<InvoiceRow> {
  return Promise.reject(notYet())
}

/** What became of the Stripe invoices that hold the items: settles an invoice that is `billed_by_stripe`. */
export function settleItems(_deps: CollectDeps, _row: InvoiceRow, _asOfMs: number): Promise<InvoiceRow> {
  return Promise.reject(notYet())
}
