import type { Context } from '../context.ts'
import type { CheckoutDetails, PaymentMethodRecord, SessionRecord } from '../records.ts'
import type { Progress } from './setup-mode.ts'
import { resumeSetup, submitSetup, waitingMethod } from './setup-mode.ts'
import { resumeSubscription, submitSubscription, waitingCard } from './subscription-mode.ts'

const subscribes = (session: SessionRecord) => session.mode === 'subscription'

/** The customer sent the page: what the session's mode makes of it. A refused method throws. */
export function submitSession(
  ctx: Context,
  session: SessionRecord,
  sent: readonly [PaymentMethodRecord, CheckoutDetails],
): Progress {
  return subscribes(session) ? submitSubscription(ctx, session, sent) : submitSetup(ctx, session, sent)
}

/** The customer came back from the bank; false: failed, and the session stays open. */
export function resumeSession(ctx: Context, session: SessionRecord, succeeds: boolean): boolean {
  return subscribes(session)
    ? resumeSubscription(ctx, session, succeeds)
    : resumeSetup(ctx, session, succeeds)
}

/** The method that waits for the bank. */
export function waitingInSession(ctx: Context, session: SessionRecord): PaymentMethodRecord | undefined {
  return subscribes(session) ? waitingCard(ctx, session) : waitingMethod(ctx, session)
}
