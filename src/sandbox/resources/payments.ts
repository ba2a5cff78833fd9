import type { Context } from '../context.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import { hash, isInRange, oneOf, page, text, timeRange } from '../params.ts'
import { present, strip } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { ChargeRecord, InvoicePaymentRecord, PaymentIntentRecord } from '../records.ts'

const intentList = { ...page, created: timeRange, customer: text() }
const chargeList = { ...page, created: timeRange, customer: text(), payment_intent: text() }
const paymentList = {
  ...page,
  created: timeRange,
  invoice: text(),
  payment: hash({
    type: oneOf('payment_intent', 'payment_record'),
    payment_intent: text(),
    payment_record: text(),
  }),
  status: oneOf('canceled', 'open', 'paid'),
}

function listIntents(ctx: Context, values: Values<typeof intentList>): object {
  const filter = (intent: PaymentIntentRecord) => isInRange(intent.created, values.created)
  const among = values.customer ? { among: ctx.store.by('paymentIntents', 'customer', values.customer) } : {}
  return listPage(
    ctx,
    { table: 'paymentIntents', kind: 'payment_intent', url: '/v1/payment_intents', filter, ...among },
    values,
  )
}

function listCharges(ctx: Context, values: Values<typeof chargeList>): object {
  const filter = (charge: ChargeRecord) =>
    isInRange(charge.created, values.created) &&
    (!values.customer || charge.customer === values.customer) &&
    (!values.payment_intent || charge.payment_intent === values.payment_intent)
  return listPage(ctx, { table: 'charges', kind: 'charge', url: '/v1/charges', filter }, values)
}

/** By invoice, or by payment intent: the only way from one to the other [stripe docs: invoice payments]. */
function listPayments(ctx: Context, values: Values<typeof paymentList>): object {
  const { invoice, payment, status, created } = values
  const filter = (record: InvoicePaymentRecord) =>
    (!invoice || record.invoice === invoice) &&
    (!payment?.payment_intent || record.payment.payment_intent === payment.payment_intent) &&
    (status === undefined || record.status === status) &&
    isInRange(record.created, created)
  const among = invoice ? { among: ctx.store.by('invoicePayments', 'invoice', invoice) } : {}
  return listPage(
    ctx,
    { table: 'invoicePayments', kind: 'invoice_payment', url: '/v1/invoice_payments', filter, ...among },
    values,
  )
}

export const paymentRoutes = [
  route('GET', '/v1/payment_intents', [intentList, listIntents]),
  route('GET', '/v1/payment_intents/:id', [
    { client_secret: text() },
    (ctx, _values, path) => strip(requireRecord(ctx, ['paymentIntents', idOf(path)])),
  ]),
  route('GET', '/v1/charges', [chargeList, listCharges]),
  route('GET', '/v1/charges/:id', [
    {},
    (ctx, _values, path) => present(ctx, 'charges', requireRecord(ctx, ['charges', idOf(path)])),
  ]),
  route('GET', '/v1/invoice_payments', [paymentList, listPayments]),
  route('GET', '/v1/invoice_payments/:id', [
    {},
    (ctx, _values, path) =>
      present(ctx, 'invoicePayments', requireRecord(ctx, ['invoicePayments', idOf(path)])),
  ]),
]
