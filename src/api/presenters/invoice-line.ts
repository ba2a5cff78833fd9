import type { InvoiceLineRow } from '../../db/stores/invoices.ts'
import type { Currency } from '../../domain/currency.ts'
import { formatDecimal, parseDecimal } from '../../domain/decimal.ts'
import { formatMinor } from '../../domain/money.ts'
import type { RateCard, TaxConfig } from '../../domain/rate-card.ts'
import { isInAdvance } from '../../domain/schedule.ts'
import { presentDiscounts, presentPrice } from '../schemas/documents.ts'
import type { InvoiceDetailedLine, InvoiceLine, LineDiscounts } from '../schemas/invoices.ts'
import { derivedId } from './derived-id.ts'
import { chargesOf, presentTotals, taxOfDetails } from './invoice-amounts.ts'
import type { StoredDetail } from './invoice-amounts.ts'
import { presentAmountDiscounts, presentUsageDiscounts } from './invoice-discounts.ts'

/** What every line of an invoice shares with it. */
export interface LineContext {
  readonly invoiceId: string
  readonly number: string
  readonly subscriptionId: string
  readonly currency: Currency
  readonly updatedAt: Date
}

/** A stored line with its documents read once; they were checked when they were written. */
interface ReadLine extends LineContext {
  readonly row: InvoiceLineRow
  readonly rateCard: RateCard | null
  readonly details: readonly StoredDetail[]
  readonly taxConfig: TaxConfig | null
  readonly stamps: { createdAt: string; updatedAt: string }
}

/** The parts that explain a line; a balance that was carried explains itself. */
function detailsOf(row: InvoiceLineRow, currency: Currency): readonly StoredDetail[] {
  const stored = row.details as unknown as readonly StoredDetail[]
  if (stored.length > 0 || BigInt(row.amountMinor) === 0n) return stored
  const { name, description, amountMinor, discountMinor } = row
  const totalMinor = (BigInt(amountMinor) - BigInt(discountMinor)).toString()
  const perUnitAmount = formatMinor(BigInt(amountMinor), currency)
  return [
    {
      name,
      description,
      quantity: '1',
      perUnitAmount,
      amountMinor,
      discountMinor,
      totalMinor,
      category: 'regular',
    },
  ]
}

// A spread stands behind a member: before all of them it would give each object a hidden class of its own (performance.md).

/** A line with its detailed lines: what explains every cent. */
export function presentInvoiceLine(row: InvoiceLineRow, context: LineContext): InvoiceLine {
  const line: ReadLine = {
    row,
    ...context,
    rateCard: row.rateCard as unknown as RateCard | null,
    details: detailsOf(row, context.currency),
    taxConfig: row.taxConfig as unknown as TaxConfig | null,
    stamps: { createdAt: row.createdAt.toISOString(), updatedAt: context.updatedAt.toISOString() },
  }
  return {
    id: row.id,
    ...shared(line),
    name: row.name,
    description: row.description,
    status: 'valid',
    ...discounts(line, line.details, row.id),
    totals: presentTotals(
      {
        ...amounts(row),
        chargesMinor: chargesOf(line.details),
        includedTaxMinor: includedTax(line, BigInt(row.taxMinor)),
      },
      context.currency,
    ),
    ...(row.stripeLineId !== null && { externalIds: { invoicing: row.stripeLineId } }),
    type: 'usage_based',
    ...pricing(line),
    children: presentDetails(line),
    ...quantities(row),
    ...subscriptionReference(line),
    kind: row.kind,
    lineKey: row.lineKey,
    fullServicePeriod: { from: row.fullServiceFrom.toISOString(), to: row.fullServiceTo.toISOString() },
    ...(row.usageCutoff !== null && { usageCutoff: row.usageCutoff }),
  }
}

const amounts = (part: {
  readonly amountMinor: string
  readonly discountMinor: string
  readonly taxMinor: string
}) => ({
  amountMinor: BigInt(part.amountMinor),
  discountMinor: BigInt(part.discountMinor),
  taxMinor: BigInt(part.taxMinor),
})

const isTaxInclusive = (line: ReadLine): boolean => line.taxConfig?.behavior === 'inclusive'

const includedTax = (line: ReadLine, taxMinor: bigint): bigint => (isTaxInclusive(line) ? taxMinor : 0n)

/** What a line and its detailed lines have in common. */
function shared(line: ReadLine) {
  const { row, taxConfig, stamps } = line
  return {
    managedBy: row.phaseKey === null ? ('system' as const) : ('subscription' as const),
    ...stamps,
    invoice: { id: line.invoiceId, number: line.number },
    currency: line.currency.code,
    ...taxes(line),
    ...(taxConfig && { taxConfig: { ...taxConfig } }),
    period: { from: row.serviceFrom.toISOString(), to: row.serviceTo.toISOString() },
    invoiceAt: row.invoiceAt.toISOString(),
  }
}

function taxes(line: ReadLine): Pick<InvoiceLine, 'taxes'> {
  if (BigInt(line.row.taxMinor) === 0n) return {}
  const behavior = isTaxInclusive(line) ? ('inclusive' as const) : ('exclusive' as const)
  return { taxes: [{ behavior, ...(line.taxConfig && { config: { ...line.taxConfig } }) }] }
}

function discounts(
  line: ReadLine,
  details: readonly StoredDetail[],
  ownerId: string,
): { discounts?: LineDiscounts } {
  const context = { ownerId, rateCard: line.rateCard, currency: line.currency, stamps: line.stamps }
  const amount = presentAmountDiscounts(details, context)
  const usage =
    ownerId === line.row.id && line.row.kind === 'usage'
      ? presentUsageDiscounts(line.row.meteredQuantity, context)
      : undefined
  if (amount === undefined && usage === undefined) return {}
  return { discounts: { ...(amount && { amount }), ...(usage && { usage }) } }
}

function pricing({ rateCard, taxConfig }: ReadLine): Pick<InvoiceLine, 'price' | 'featureKey' | 'rateCard'> {
  if (rateCard === null) return {}
  const feature = rateCard.featureKey === undefined ? {} : { featureKey: rateCard.featureKey }
  const price = rateCard.price && presentPrice(rateCard.price)
  return {
    ...(price && { price }),
    ...feature,
    rateCard: {
      ...feature,
      ...(taxConfig && { taxConfig: { ...taxConfig } }),
      price,
      ...(rateCard.discounts && { discounts: presentDiscounts(rateCard.discounts) }),
    },
  }
}

/** Quantities of usage; nothing of a period is billed before its line, so what came before is zero (billing rule 10). */
function quantities(row: InvoiceLineRow) {
  const plain = (text: string): string => formatDecimal(parseDecimal(text))
  return {
    ...(row.quantity !== null && { quantity: plain(row.quantity) }),
    ...(row.meteredQuantity !== null && {
      meteredQuantity: plain(row.meteredQuantity),
      preLinePeriodQuantity: '0',
      meteredPreLinePeriodQuantity: '0',
    }),
  }
}

function subscriptionReference({ row, subscriptionId }: ReadLine): Pick<InvoiceLine, 'subscription'> {
  if (row.phaseKey === null || row.rateCardKey === null) return {}
  const phase = `phase/${row.phaseKey}`
  return {
    subscription: {
      subscription: { id: subscriptionId },
      phase: { id: derivedId(subscriptionId, phase) },
      item: { id: derivedId(subscriptionId, `${phase}/item/${row.rateCardKey}`) },
      billingPeriod: { from: row.billingFrom.toISOString(), to: row.billingTo.toISOString() },
    },
  }
}

function presentDetails(line: ReadLine): InvoiceDetailedLine[] {
  if (line.details.length === 0) return []
  const taxShares = taxOfDetails(BigInt(line.row.taxMinor), line.details)
  return line.details.map((detail, index) =>
    presentDetail(line, detail, { index, taxMinor: taxShares[index] ?? 0n }),
  )
}

function presentDetail(
  line: ReadLine,
  detail: StoredDetail,
  place: { readonly index: number; readonly taxMinor: bigint },
): InvoiceDetailedLine {
  const id = derivedId(line.row.id, `detail/${place.index}`)
  const paymentTerm = line.rateCard && !isInAdvance(line.rateCard) ? 'in_arrears' : 'in_advance'
  const totals = {
    chargesMinor: chargesOf([detail]),
    ...amounts({
      taxMinor: place.taxMinor.toString(),
      amountMinor: detail.amountMinor,
      discountMinor: detail.discountMinor,
    }),
    includedTaxMinor: includedTax(line, place.taxMinor),
  }
  return {
    id,
    ...shared(line),
    name: detail.name,
    description: detail.description,
    managedBy: 'system',
    status: 'detailed',
    ...discounts(line, [detail], id),
    totals: presentTotals(totals, line.currency),
    type: 'flat_fee',
    perUnitAmount: detail.perUnitAmount,
    paymentTerm,
    quantity: detail.quantity,
    rateCard: {
      price: { type: 'flat', amount: detail.perUnitAmount, paymentTerm },
      quantity: detail.quantity,
      ...(line.taxConfig && { taxConfig: { ...line.taxConfig } }),
    },
    category: detail.category,
  }
}
