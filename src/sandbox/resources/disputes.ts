import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { refuse } from '../errors.ts'
import { emit } from '../events.ts'
import { newId } from '../ids.ts'
import { listPage } from '../lists.ts'
import type { Values } from '../params.ts'
import { isInRange, page, text, timeRange } from '../params.ts'
import { strip } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { ChargeRecord, DisputeRecord } from '../records.ts'

/** Days to answer a dispute [stripe docs: disputes, card networks give 7 to 21]. */
const EVIDENCE_DAYS = 7
const DAY = 86_400

/** What the network charges for a dispute, in the charge's minor units here [stripe docs: 15 USD]. */
const FEE = 1500

interface NewDispute {
  readonly amount?: number
  readonly reason?: string
}

function movement(dispute: DisputeRecord, amount: number, fee: number): object {
  return {
    id: newId('txn'),
    object: 'balance_transaction',
    amount,
    currency: dispute.currency,
    fee,
    net: amount - fee,
    source: dispute.id,
    type: 'adjustment',
    reporting_category: amount < 0 ? 'dispute' : 'dispute_reversal',
  }
}

const withMovement = (dispute: DisputeRecord, amount: number, fee: number): DisputeRecord => ({
  ...dispute,
  balance_transactions: [
    ...dispute.balance_transactions,
    movement(dispute, amount, fee),
  ] as DisputeRecord['balance_transactions'],
})

function blank(charge: ChargeRecord, created: number, { amount, reason }: NewDispute): DisputeRecord {
  return {
    id: newId('du'),
    object: 'dispute',
    amount: amount ?? charge.amount_captured - charge.amount_refunded,
    balance_transactions: [],
    charge: charge.id,
    created,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: {} as DisputeRecord['evidence'],
    evidence_details: {
      due_by: created + EVIDENCE_DAYS * DAY,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
    } as unknown as DisputeRecord['evidence_details'],
    intended_submission_method: null,
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    payment_method_details: {
      card: {
        brand: charge.payment_method_details?.card?.brand ?? 'visa',
        case_type: 'chargeback',
        network_reason_code: '10',
      },
      type: 'card',
    } as unknown as DisputeRecord['payment_method_details'] & object,
    reason: reason ?? 'fraudulent',
    status: 'needs_response',
  }
}

function changeCharge(ctx: Context, charge: ChargeRecord, disputed: boolean): void {
  ctx.store.put('charges', { ...charge, disputed })
}

/** The cardholder disputes a charge: the amount and a fee are withdrawn at once [stripe docs: disputes]. */
export function openDispute(ctx: Context, charge: ChargeRecord, input: NewDispute = {}): DisputeRecord {
  if (charge.status !== 'succeeded') throw refuse('Only a charge that succeeded can be disputed.')
  if (charge.disputed) throw refuse(`Charge ${charge.id} has already been disputed.`)
  const clock = charge.customer === null ? null : ctx.store.get('customers', charge.customer)?.test_clock
  changeCharge(ctx, charge, true)
  const opened = ctx.store.put('disputes', blank(charge, timeOf(ctx, clock), input))
  emitOf(ctx, 'created', opened)
  const withdrawn = ctx.store.put('disputes', withMovement(opened, -opened.amount, FEE))
  emitOf(ctx, 'funds_withdrawn', withdrawn)
  return withdrawn
}

/** An event about a dispute, at the time of its customer. */
function emitOf(ctx: Context, what: string, dispute: DisputeRecord): void {
  const customer = ctx.store.get('charges', dispute.charge)?.customer ?? null
  // A dispute does not name its customer, whose clock the event follows.
  emit(ctx, `charge.dispute.${what}`, ['disputes', dispute], customer)
}

/** The network decides: won, the money comes back; lost, it stays away. The charge stays marked as disputed. */
export function closeDispute(ctx: Context, dispute: DisputeRecord, outcome: 'won' | 'lost'): DisputeRecord {
  if (dispute.status === 'won' || dispute.status === 'lost') throw refuse('This dispute is already closed.')
  const decided = { ...dispute, status: outcome }
  const closed = ctx.store.put(
    'disputes',
    outcome === 'won' ? withMovement(decided, dispute.amount, 0) : decided,
  )
  emitOf(ctx, 'closed', closed)
  if (outcome === 'won') emitOf(ctx, 'funds_reinstated', closed)
  return closed
}

const listShape = { ...page, charge: text(), created: timeRange, payment_intent: text() }

function listDisputes(ctx: Context, values: Values<typeof listShape>): object {
  const filter = (d: DisputeRecord) =>
    (!values.charge || d.charge === values.charge) &&
    (!values.payment_intent || d.payment_intent === values.payment_intent) &&
    isInRange(d.created, values.created)
  return listPage(ctx, { table: 'disputes', kind: 'dispute', url: '/v1/disputes', filter }, values)
}

const disputeAt = (ctx: Context, path: readonly string[]) => requireRecord(ctx, ['disputes', idOf(path)])

export const disputeRoutes = [
  route('GET', '/v1/disputes', [listShape, listDisputes]),
  route('GET', '/v1/disputes/:id', [{}, (ctx, _values, path) => strip(disputeAt(ctx, path))]),
  // Closing it oneself is giving up [stripe docs: close a dispute].
  route('POST', '/v1/disputes/:id/close', [
    {},
    (ctx, _values, path) => strip(closeDispute(ctx, disputeAt(ctx, path), 'lost')),
  ]),
]
