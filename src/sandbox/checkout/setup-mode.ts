import type { Context } from '../context.ts'
import { emit } from '../events.ts'
import { completeSetupAuthentication, confirmSetup } from '../setup.ts'
import type { CheckoutDetails, PaymentMethodRecord, SessionRecord, SetupIntentRecord } from '../records.ts'
import { settleCustomer, shownDetails } from './details.ts'

/** What became of a submitted page. */
export type Progress = 'complete' | 'authenticate'

const noDetails: CheckoutDetails = { email: null, name: null, businessName: null, address: null, taxId: null }

function intentOf(ctx: Context, session: SessionRecord): SetupIntentRecord {
  const intent = session.setup_intent ? ctx.store.get('setupIntents', session.setup_intent) : undefined
  if (intent === undefined) throw new Error(`no setup intent of ${session.id}`)
  return intent
}

/** The customer comes first, so that the intent's events name it. */
function withCustomer(ctx: Context, session: SessionRecord): SetupIntentRecord {
  const customer = settleCustomer(ctx, session, session._typed ?? noDetails)
  const intent = intentOf(ctx, session)
  const shown = shownDetails(ctx, customer, session._typed ?? noDetails)
  ctx.store.put('sessions', { ...session, customer, ...shown })
  return ctx.store.put('setupIntents', { ...intent, customer })
}

function complete(ctx: Context, id: string): Progress {
  const session = ctx.store.get('sessions', id)
  if (session === undefined) throw new Error(`no session ${id}`)
  const done = ctx.store.put('sessions', { ...session, status: 'complete', url: null, _dueAt: null })
  emit(ctx, 'checkout.session.completed', ['sessions', done])
  return 'complete'
}

/** Saves the method; a refused one throws, and the session stays open for another. */
export function submitSetup(
  ctx: Context,
  session: SessionRecord,
  [method, details]: readonly [PaymentMethodRecord, CheckoutDetails],
): Progress {
  const typed = ctx.store.put('sessions', { ...session, _typed: details })
  const { attach, authentication } = method._behaviour
  const succeeds = attach === 'accept' && authentication === 'none'
  const intent = succeeds ? withCustomer(ctx, typed) : intentOf(ctx, typed)
  const after = confirmSetup(ctx, intent, method)
  return after.status === 'requires_action' ? 'authenticate' : complete(ctx, session.id)
}

/** The customer came back from the bank; false: failed, and the session stays open. */
export function resumeSetup(ctx: Context, session: SessionRecord, succeeds: boolean): boolean {
  const intent = succeeds ? withCustomer(ctx, session) : intentOf(ctx, session)
  if (completeSetupAuthentication(ctx, intent, succeeds) === null || !succeeds) return false
  complete(ctx, session.id)
  return true
}

/** The method that waits for the bank. */
export function waitingMethod(ctx: Context, session: SessionRecord): PaymentMethodRecord | undefined {
  const intent = session.setup_intent ? ctx.store.get('setupIntents', session.setup_intent) : undefined
  if (intent?.status !== 'requires_action' || intent.payment_method === null) return undefined
  return ctx.store.get('paymentMethods', intent.payment_method)
}
