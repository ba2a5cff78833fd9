import type { Context } from '../context.ts'
import { intentOf } from '../invoices/payments.ts'
import { strip } from '../present.ts'
import { closeDispute, openDispute } from '../resources/disputes.ts'
import type { ChargeRecord } from '../records.ts'
import type { Call, ControlDeps, Handler } from './call.ts'
import { asRecord, BadCall, changing } from './call.ts'

/** The charge named by itself, by its payment intent, or by the invoice it paid. */
function chargeOf(ctx: Context, given: Readonly<Record<string, unknown>>): ChargeRecord {
  const { charge, invoice, payment_intent: intent } = given
  const record = ctx.store.get('invoices', String(invoice))
  const paying =
    record === undefined ? ctx.store.get('paymentIntents', String(intent)) : intentOf(ctx, record)
  const found = ctx.store.get('charges', typeof charge === 'string' ? charge : (paying?.latest_charge ?? ''))
  if (found === undefined) throw new BadCall('name a charge, a payment_intent or an invoice that was charged')
  return found
}

function open(deps: ControlDeps, { body }: Call): unknown {
  const given = asRecord(body)
  const { amount, reason } = given
  return changing(deps, (ctx) =>
    strip(
      openDispute(ctx, chargeOf(ctx, given), {
        ...(typeof amount === 'number' ? { amount } : {}),
        ...(typeof reason === 'string' ? { reason } : {}),
      }),
    ),
  )
}

function close(deps: ControlDeps, { rest, body }: Call): unknown {
  const { outcome } = asRecord(body)
  if (outcome !== 'won' && outcome !== 'lost') throw new BadCall('outcome must be won or lost')
  return changing(deps, (ctx) => {
    const dispute = ctx.store.get('disputes', rest)
    if (dispute === undefined) throw new BadCall(`no dispute ${rest}`)
    return strip(closeDispute(ctx, dispute, outcome))
  })
}

/** A cardholder disputes a charge, and the network decides. */
export const disputeHandlers: Readonly<Record<string, Handler>> = {
  'POST /disputes': open,
  'POST /disputes/*/close': close,
}
