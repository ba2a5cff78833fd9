import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { formatAmount } from '../currencies.ts'
import { noSuch, refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Values } from '../params.ts'
import {
  clearable,
  decimal,
  hash,
  integer,
  list,
  mergeMetadata,
  metadata,
  missing,
  oneOf,
  required,
  text,
  unbuilt,
} from '../params.ts'
import { requireRecord } from '../require.ts'
import type { CreditNoteRecord, InvoiceRecord } from '../records.ts'
import { itemsOf } from './lines.ts'
import { taxesOf } from './taxes.ts'

const lineShape = hash({
  type: required(oneOf('invoice_line_item', 'custom_line_item')),
  invoice_line_item: text(),
  amount: integer(0),
  quantity: integer(0),
  unit_amount: integer(),
  unit_amount_decimal: decimal,
  description: text(5000),
  tax_amounts: unbuilt,
  tax_rates: list(required(text())),
})
export const noteShape = {
  invoice: required(text()),
  amount: integer(0),
  lines: list(required(lineShape)),
  credit_amount: integer(0),
  refund_amount: integer(0),
  out_of_band_amount: integer(0),
  refunds: unbuilt,
  shipping_cost: unbuilt,
  email_type: oneOf('credit_note', 'none'),
  reason: clearable(oneOf('duplicate', 'fraudulent', 'order_change', 'product_unsatisfactory')),
  memo: text(5000),
  metadata,
  effective_at: integer(0),
}
export type NoteInput = Values<typeof noteShape>
type LineInput = NonNullable<NonNullable<NoteInput['lines']>[number]>

interface NoteLine {
  readonly id: string
  readonly amount: number
  readonly tax: number
  readonly [field: string]: unknown
}

function lineOf(ctx: Context, invoice: InvoiceRecord, [line, index]: readonly [LineInput, number]): NoteLine {
  const common = {
    id: newId('cnli'),
    object: 'credit_note_line_item',
    discount_amount: 0,
    discount_amounts: [],
    livemode: false,
    metadata: {},
    pretax_credit_amounts: [],
    quantity: line.quantity ?? null,
    tax_rates: [],
    taxes: [],
    type: line.type,
    unit_amount: line.unit_amount ?? null,
    unit_amount_decimal: line.unit_amount?.toString() ?? null,
  }
  if (line.type === 'custom_line_item') {
    if (line.unit_amount === undefined) throw missing(`lines[${index}][unit_amount]`)
    if (!line.description) throw missing(`lines[${index}][description]`)
    return {
      ...common,
      amount: line.unit_amount * (line.quantity ?? 1),
      tax: 0,
      description: line.description,
    }
  }
  const param = `lines[${index}][invoice_line_item]`
  if (!line.invoice_line_item) throw missing(param)
  const item = itemsOf(ctx, invoice).find((candidate) => candidate._line === line.invoice_line_item)
  if (item === undefined) throw noSuch('invoice line item', line.invoice_line_item, param)
  const amount = line.amount ?? item.amount
  if (amount > item.amount)
    throw refuse('The credited amount is greater than the amount of the invoice line item.', {
      param: `lines[${index}][amount]`,
    })
  const exclusive = taxesOf(ctx, invoice, item)
    .filter((tax) => !tax.inclusive)
    .reduce((sum, tax) => sum + tax.amount, 0)
  // The tax goes back in proportion.
  const tax = item.amount === 0 ? 0 : Math.round((exclusive * amount) / item.amount)
  return { ...common, amount, tax, description: item.description, invoice_line_item: item._line }
}

/** What can still be credited: all that was due, less earlier notes. */
function creditable(invoice: InvoiceRecord): number {
  return invoice.total - invoice.pre_payment_credit_notes_amount - invoice.post_payment_credit_notes_amount
}

/** On a paid invoice the parts must add up to the note [stripe docs: credit notes]. */
function checkParts(invoice: InvoiceRecord, input: NoteInput, total: number): void {
  const { credit_amount: credit = 0, refund_amount: refund = 0, out_of_band_amount: outside = 0 } = input
  const parts = credit + refund + outside
  const expected = invoice.status === 'paid' ? total : 0
  if (parts === expected) return
  const money = (amount: number) => formatAmount(amount, invoice.currency)
  throw refuse(
    `The sum of credit amount, refund amount and out of band amount (${money(parts)}) must equal the ` +
      `post payment amount of the credit note (${money(expected)}).`,
  )
}

/** The credit note as it would be, without any effect. */
export function buildNote(ctx: Context, input: NoteInput): CreditNoteRecord {
  const invoice = requireRecord(ctx, ['invoices', input.invoice], 'invoice')
  if (invoice.status !== 'open' && invoice.status !== 'paid') {
    throw refuse('Credit notes can only be issued for invoices that are open or paid.', { param: 'invoice' })
  }
  if (input.amount === undefined && !input.lines) throw missing('amount')
  const lines = (input.lines ?? []).map((line, index) => lineOf(ctx, invoice, [line, index]))
  const subtotal = lines.length > 0 ? lines.reduce((sum, line) => sum + line.amount, 0) : (input.amount ?? 0)
  const total = subtotal + lines.reduce((sum, line) => sum + line.tax, 0)
  if (input.amount !== undefined && input.amount !== total)
    throw refuse('The amount must equal the sum of the lines.', { param: 'amount' })
  if (total <= 0 || total > creditable(invoice)) {
    throw refuse(
      `The credit note amount (${total}) must be greater than 0 and at most the creditable amount (${creditable(invoice)}) of the invoice.`,
      { param: 'amount' },
    )
  }
  checkParts(invoice, input, total)
  const created = timeOf(ctx, invoice.test_clock)
  const earlier = ctx.store.by('creditNotes', 'invoice', invoice.id).length
  const isPaid = invoice.status === 'paid'
  const id = newId('cn')
  return {
    id,
    object: 'credit_note',
    amount: total,
    amount_shipping: 0,
    created,
    currency: invoice.currency,
    customer: invoice.customer,
    customer_account: null,
    customer_balance_transaction: null,
    discount_amount: 0,
    discount_amounts: [],
    effective_at: input.effective_at ?? created,
    invoice: invoice.id,
    livemode: false,
    memo: input.memo ?? null,
    metadata: mergeMetadata({}, input.metadata),
    number: `${invoice.number}-CN-${String(earlier + 1).padStart(2, '0')}`,
    out_of_band_amount: input.out_of_band_amount ?? null,
    pdf: `${ctx.origin}/i/${invoice._secret}/pdf`,
    post_payment_amount: isPaid ? total : 0,
    pre_payment_amount: isPaid ? 0 : total,
    pretax_credit_amounts: [],
    reason: input.reason ?? null,
    refunds: [],
    shipping_cost: null,
    status: 'issued',
    subtotal,
    subtotal_excluding_tax: subtotal,
    total,
    total_excluding_tax: subtotal,
    total_taxes: [],
    type: isPaid ? 'post_payment' : 'pre_payment',
    voided_at: null,
    _lines: lines.map(({ tax: _tax, ...line }) => line),
  }
}
