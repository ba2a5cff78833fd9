import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { emit, update } from '../events.ts'
import { newId, randomText } from '../ids.ts'
import type {
  ChargeRecord,
  Decline,
  InvoicePaymentRecord,
  InvoiceRecord,
  PaymentIntentRecord,
  PaymentMethodRecord,
} from '../records.ts'

/** The payment intent made at finalization, and the invoice payment that ties it to the invoice. */
export function openPayment(ctx: Context, invoice: InvoiceRecord): void {
  const created = timeOf(ctx, invoice.test_clock)
  const intent = ctx.store.put('paymentIntents', newIntent(invoice, created))
  ctx.store.put('invoicePayments', {
    id: newId('inpay'),
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: invoice.amount_due,
    created,
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { type: 'payment_intent', payment_intent: intent.id },
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
  })
  emit(ctx, 'payment_intent.created', ['paymentIntents', intent])
}

function newIntent(invoice: InvoiceRecord, created: number): PaymentIntentRecord {
  const id = newId('pi')
  return {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: invoice.amount_due,
    amount_capturable: 0,
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic',
    client_secret: `${id}_secret_${randomText(25)}`,
    confirmation_method: 'automatic',
    created,
    currency: invoice.currency,
    customer: invoice.customer,
    customer_account: null,
    description: invoice.description ?? 'Payment for Invoice',
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: {},
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ['card'],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'requires_payment_method',
    transfer_data: null,
    transfer_group: null,
    _invoice: invoice.id,
  }
}

/** The invoice's own payment, made at finalization. */
export function defaultPayment(ctx: Context, invoice: InvoiceRecord): InvoicePaymentRecord | undefined {
  return ctx.store.by('invoicePayments', 'invoice', invoice.id).find((payment) => payment.is_default)
}

/** Its payment intent. */
export function intentOf(ctx: Context, invoice: InvoiceRecord): PaymentIntentRecord | undefined {
  const id = defaultPayment(ctx, invoice)?.payment.payment_intent
  return id === undefined ? undefined : ctx.store.get('paymentIntents', id)
}

/** Keeps a charge: failed when declined, else good or on its way. */
export function recordCharge(
  ctx: Context,
  intent: PaymentIntentRecord,
  [method, decline]: readonly [PaymentMethodRecord, Decline | null],
  status: 'succeeded' | 'pending' = 'succeeded',
): ChargeRecord {
  const customer = intent.customer === null ? undefined : ctx.store.get('customers', intent.customer)
  const id = newId('ch')
  const charge: ChargeRecord = {
    id,
    object: 'charge',
    amount: intent.amount,
    amount_captured: decline === null ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: decline === null && status === 'succeeded' ? newId('txn') : null,
    billing_details: method.billing_details,
    calculated_statement_descriptor: 'SANDBOX',
    captured: decline === null,
    created: timeOf(ctx, customer?.test_clock),
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: decline?.code ?? null,
    failure_message: decline?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: {},
    on_behalf_of: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: decline === null ? 'approved_by_network' : 'declined_by_network',
      reason: decline?.declineCode ?? null,
      risk_level: 'normal',
      risk_score: 20,
      seller_message:
        decline === null
          ? 'Payment complete.'
          : 'The bank did not return any further details with this decline.',
      type: decline === null ? 'authorized' : 'issuer_declined',
    },
    paid: decline === null && status === 'succeeded',
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: {
      ...(method.card ? { card: { ...method.card, installments: null, mandate: null } } : {}),
      ...(method.us_bank_account ? { us_bank_account: method.us_bank_account } : {}),
      ...(method.sepa_debit ? { sepa_debit: method.sepa_debit } : {}),
      type: method.type,
    } as unknown as ChargeRecord['payment_method_details'],
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: decline === null ? status : 'failed',
    transfer_data: null,
    transfer_group: null,
    _invoice: intent._invoice,
  }
  ctx.store.put('charges', charge)
  emit(ctx, `charge.${charge.status}`, ['charges', charge])
  return charge
}

/** The invoice needs no payment any more: what was open is canceled. */
export function cancelPayments(ctx: Context, invoice: InvoiceRecord): void {
  const at = timeOf(ctx, invoice.test_clock)
  for (const payment of ctx.store.by('invoicePayments', 'invoice', invoice.id)) {
    if (payment.status !== 'open') continue
    ctx.store.put('invoicePayments', {
      ...payment,
      status: 'canceled',
      status_transitions: { canceled_at: at, paid_at: null },
    })
    const intent =
      payment.payment.payment_intent === undefined
        ? undefined
        : ctx.store.get('paymentIntents', payment.payment.payment_intent)
    if (intent === undefined || intent.status === 'succeeded') continue
    const reason = invoice.status === 'void' ? 'void_invoice' : null
    const canceled = {
      ...intent,
      status: 'canceled',
      canceled_at: at,
      cancellation_reason: reason,
      next_action: null,
    } as const
    update(ctx, 'payment_intent.canceled', ['paymentIntents', canceled])
  }
}
