import type { Context } from './context.ts'
import { timeOf } from './context.ts'
import { StripeRefusal } from './errors.ts'
import { emit } from './events.ts'
import { newId, randomText } from './ids.ts'
import { strip } from './present.ts'
import { attach, cardError } from './resources/payment-methods.ts'
import type { Metadata, PaymentMethodRecord, SetupIntentRecord } from './records.ts'

interface NewSetup {
  readonly customer: string | null
  readonly usage?: string
  readonly metadata?: Metadata
  readonly description?: string | null
  readonly session?: string
}

/** A setup intent that waits for a payment method. */
export function createSetup(
  ctx: Context,
  { customer, usage, metadata, description, session }: NewSetup,
): SetupIntentRecord {
  const id = newId('seti')
  const clock = customer === null ? null : ctx.store.get('customers', customer)?.test_clock
  const intent = ctx.store.put('setupIntents', {
    id,
    object: 'setup_intent',
    allowed_payment_method_types: null,
    application: null,
    automatic_payment_methods: { allow_redirects: 'always', enabled: true },
    cancellation_reason: null,
    client_secret: `${id}_secret_${randomText(25)}`,
    created: timeOf(ctx, clock),
    customer,
    customer_account: null,
    description: description ?? null,
    excluded_payment_method_types: null,
    flow_directions: null,
    last_setup_error: null,
    latest_attempt: null,
    livemode: false,
    mandate: null,
    metadata: metadata ?? {},
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ['card'],
    single_use_mandate: null,
    status: 'requires_payment_method',
    usage: usage ?? 'off_session',
    _session: session ?? null,
  })
  emit(ctx, 'setup_intent.created', ['setupIntents', intent])
  return intent
}

function change(ctx: Context, type: string, intent: SetupIntentRecord): SetupIntentRecord {
  ctx.store.put('setupIntents', intent)
  emit(ctx, type, ['setupIntents', intent])
  return intent
}

/** Saves the card: attached to the customer, the intent succeeded. It does not become the default [types of the client]. */
export function succeedSetup(
  ctx: Context,
  intent: SetupIntentRecord,
  method: PaymentMethodRecord,
): SetupIntentRecord {
  if (intent.customer !== null) attach(ctx, method.id, intent.customer)
  const succeeded = {
    ...intent,
    status: 'succeeded',
    payment_method: method.id,
    next_action: null,
    last_setup_error: null,
  } as const
  return change(ctx, 'setup_intent.succeeded', succeeded)
}

/** Confirms; a refused card is a 402 that stays recorded, 3-D Secure waits for the customer. */
export function confirmSetup(
  ctx: Context,
  intent: SetupIntentRecord,
  method: PaymentMethodRecord,
): SetupIntentRecord {
  const { attach: outcome, authentication } = method._behaviour
  if (outcome !== 'accept') {
    const { body } = cardError(outcome, { payment_method: strip(method) })
    const last_setup_error = body as unknown as SetupIntentRecord['last_setup_error']
    const failed = change(ctx, 'setup_intent.setup_failed', {
      ...intent,
      status: 'requires_payment_method',
      last_setup_error,
    })
    throw new StripeRefusal(402, { ...body, setup_intent: strip(failed) }, true)
  }
  if (authentication !== 'none') {
    const next_action = {
      type: 'use_stripe_sdk',
      use_stripe_sdk: { type: 'three_d_secure_redirect' },
    } as SetupIntentRecord['next_action']
    return change(ctx, 'setup_intent.requires_action', {
      ...intent,
      status: 'requires_action',
      payment_method: method.id,
      next_action,
    })
  }
  return succeedSetup(ctx, intent, method)
}

/** The customer passed or failed 3-D Secure. */
export function completeSetupAuthentication(
  ctx: Context,
  intent: SetupIntentRecord,
  succeeds: boolean,
): SetupIntentRecord | null {
  const method =
    intent.payment_method === null ? undefined : ctx.store.get('paymentMethods', intent.payment_method)
  if (intent.status !== 'requires_action' || method === undefined) return null
  if (succeeds) return succeedSetup(ctx, intent, method)
  const error = {
    type: 'invalid_request_error',
    code: 'setup_intent_authentication_failure',
    message: 'The latest attempt to set up the payment method has failed because authentication failed.',
  }
  const last_setup_error = error as SetupIntentRecord['last_setup_error']
  const failed = {
    ...intent,
    status: 'requires_payment_method',
    payment_method: null,
    next_action: null,
    last_setup_error,
  } as const
  return change(ctx, 'setup_intent.setup_failed', failed)
}
