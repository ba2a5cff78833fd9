import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { refuse } from '../errors.ts'
import { emit } from '../events.ts'
import { newId } from '../ids.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import {
  clearable,
  integer,
  isInRange,
  mergeMetadata,
  metadata,
  missing,
  oneOf,
  page,
  text,
  timeRange,
} from '../params.ts'
import { strip } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { ChargeRecord, Metadata, RefundRecord } from '../records.ts'

const createShape = {
  amount: integer(1),
  charge: text(),
  payment_intent: text(),
  reason: clearable(oneOf('duplicate', 'fraudulent', 'requested_by_customer')),
  metadata,
}

interface NewRefund {
  readonly amount: number
  readonly reason?: RefundRecord['reason']
  readonly metadata?: Metadata
}

/** An open or lost dispute has taken the money already [stripe docs: disputes and refunds]. */
function isDisputed(ctx: Context, charge: ChargeRecord): boolean {
  return ctx.store.by('disputes', 'charge', charge.id).some((dispute) => dispute.status !== 'won')
}

/** Gives back (part of) a charge; it succeeds at once. */
export function refundCharge(
  ctx: Context,
  charge: ChargeRecord,
  { amount, reason, metadata }: NewRefund,
): RefundRecord {
  if (isDisputed(ctx, charge)) {
    throw refuse(`Charge ${charge.id} has been charged back; cannot issue a refund.`, {
      code: 'charge_disputed',
    })
  }
  const left = charge.amount_captured - charge.amount_refunded
  if (left === 0)
    throw refuse(`Charge ${charge.id} has already been refunded.`, { code: 'charge_already_refunded' })
  if (amount > left)
    throw refuse(`Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`, {
      param: 'amount',
    })
  const clock = charge.customer === null ? null : ctx.store.get('customers', charge.customer)?.test_clock
  const refund = ctx.store.put('refunds', {
    id: newId('re'),
    object: 'refund',
    amount,
    balance_transaction: newId('txn'),
    charge: charge.id,
    created: timeOf(ctx, clock),
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    metadata: metadata ?? {},
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  })
  const refunded = charge.amount_refunded + amount
  const changed = ctx.store.put('charges', {
    ...charge,
    amount_refunded: refunded,
    refunded: refunded === charge.amount_captured,
  })
  emit(ctx, 'refund.created', ['refunds', refund])
  emit(ctx, 'charge.refunded', ['charges', changed])
  return refund
}

/** The charge named by itself or by its payment intent. */
function chargeOf(ctx: Context, values: Values<typeof createShape>): ChargeRecord {
  const { charge, payment_intent: intent } = values
  if (charge) return requireRecord(ctx, ['charges', charge], 'charge')
  if (!intent) throw missing('charge')
  const latest = requireRecord(ctx, ['paymentIntents', intent], 'payment_intent').latest_charge
  const found = latest === null ? undefined : ctx.store.get('charges', latest)
  if (found === undefined || found.status !== 'succeeded') {
    throw refuse(`This PaymentIntent (${intent}) does not have a successful charge to refund.`)
  }
  return found
}

function create(ctx: Context, values: Values<typeof createShape>): object {
  const charge = chargeOf(ctx, values)
  if (charge.status !== 'succeeded') throw refuse('This charge cannot be refunded: it did not succeed.')
  const amount = values.amount ?? charge.amount_captured - charge.amount_refunded
  return strip(
    refundCharge(ctx, charge, {
      amount,
      reason: values.reason ?? null,
      metadata: mergeMetadata({}, values.metadata),
    }),
  )
}

const listShape = { ...page, charge: text(), payment_intent: text(), created: timeRange }

function listRefunds(ctx: Context, values: Values<typeof listShape>): object {
  const filter = (r: RefundRecord) =>
    (!values.charge || r.charge === values.charge) &&
    (!values.payment_intent || r.payment_intent === values.payment_intent) &&
    isInRange(r.created, values.created)
  return listPage(ctx, { table: 'refunds', kind: 'refund', url: '/v1/refunds', filter }, values)
}

export const refundRoutes = [
  route('POST', '/v1/refunds', [createShape, create]),
  route('GET', '/v1/refunds', [listShape, listRefunds]),
  route('GET', '/v1/refunds/:id', [
    {},
    (ctx, _values, path) => strip(requireRecord(ctx, ['refunds', idOf(path)])),
  ]),
]
