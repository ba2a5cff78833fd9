import type { AdjustmentRow } from '../../db/stores/adjustments.ts'
import type { InvoiceRow } from '../../db/stores/invoices.ts'
import { currency } from '../../domain/currency.ts'
import type { Currency } from '../../domain/currency.ts'
import { formatMinor } from '../../domain/money.ts'
import type { Invoice, InvoiceAdjustment } from '../schemas/invoices.ts'
import { withoutNulls } from './without-nulls.ts'

const nothingRemains = new Set(['paid', 'voided'])

/** What happened to an invoice's money at Stripe, and what is left to pay after it. */
export function presentAdjustments(
  row: InvoiceRow,
  rows: readonly AdjustmentRow[],
  c: Currency,
): Pick<Invoice, 'adjustments' | 'amountRemaining'> {
  // Notes on an open invoice take off what remains; those on a paid one give back, which is no debt.
  const credited = rows
    .filter(({ kind, status }) => kind === 'credit_note' && status === 'issued')
    .reduce((sum, { amountMinor }) => sum + BigInt(amountMinor), 0n)
  const open = BigInt(row.totalMinor) - BigInt(row.paidMinor) - credited
  const remaining = nothingRemains.has(row.status) || open < 0n ? 0n : open
  return {
    amountRemaining: formatMinor(remaining, c),
    ...(rows.length > 0 && { adjustments: rows.map(presentAdjustment) }),
  }
}

function presentAdjustment(row: AdjustmentRow): InvoiceAdjustment {
  return {
    id: row.id,
    kind: row.kind as InvoiceAdjustment['kind'],
    status: row.status,
    amount: formatMinor(BigInt(row.amountMinor), currency(row.currency)),
    currency: row.currency,
    at: row.at.toISOString(),
    ...withoutNulls({ reason: row.reason }),
  }
}
