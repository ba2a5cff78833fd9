import type { Db } from '../db/connection.ts'
import type { InvoiceLineRow, InvoiceRow } from '../db/stores/invoices.ts'
import { usageQuantity } from '../db/stores/usage-query.ts'
import { Decimal } from '../domain/decimal.ts'
import type { RateCard } from '../domain/rate-card.ts'
import { canBillBeforePeriodEnd } from '../domain/threshold.ts'
import { usageMeters } from './metering.ts'

/**
 * The lines of a running invoice that may be billed now: of a period that goes on only what can never shrink again
 * (rule 10). An amount that Stripe has invoiced could not be taken back but by a credit.
 */
export async function linesToBillEarly(
  db: Db,
  row: InvoiceRow,
  { lines, asOfMs }: { readonly lines: readonly InvoiceLineRow[]; readonly asOfMs: number },
): Promise<readonly InvoiceLineRow[]> {
  const meters = await usageMeters(
    db,
    lines.flatMap(({ featureKey }) => featureKey ?? []),
  )
  const early: InvoiceLineRow[] = []
  for (const line of lines) {
    const isOver = line.kind !== 'usage' || line.serviceTo.getTime() <= asOfMs
    if (isOver || (await canOnlyGrow(db, row, { line, meters }))) early.push(line)
  }
  return early
}

interface Metered {
  readonly line: InvoiceLineRow
  readonly meters: Awaited<ReturnType<typeof usageMeters>>
}

async function canOnlyGrow(db: Db, row: InvoiceRow, { line, meters }: Metered): Promise<boolean> {
  const found = line.featureKey === null ? undefined : meters.get(line.featureKey)
  const { price } = line.rateCard as unknown as RateCard
  // The next tier of a volume price may make all units cheaper.
  if (found === undefined || (price?.type === 'tiered' && price.mode === 'volume')) return false
  const { meter, groupByFilters } = found
  if (meter.aggregation !== 'SUM') return canBillBeforePeriodEnd(meter.aggregation, true)
  const { usageAttribution } = row.customerSnapshot as {
    readonly usageAttribution?: { readonly subjectKeys?: readonly string[] }
  }
  const least = await usageQuantity(db, {
    meter: { ...meter, aggregation: 'MIN' },
    subjects: usageAttribution?.subjectKeys ?? [],
    from: line.serviceFrom,
    to: line.serviceTo,
    groupByFilters,
  })
  return canBillBeforePeriodEnd('SUM', least.quantity === null || new Decimal(least.quantity).gte('0'))
}
