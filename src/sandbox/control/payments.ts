import { finishDebit } from '../invoices/debits.ts'
import type { Call, ControlDeps, Handler } from './call.ts'
import { asRecord, BadCall, changing } from './call.ts'

function settle(deps: ControlDeps, { rest, body }: Call): unknown {
  const { outcome } = asRecord(body ?? {})
  if (outcome !== undefined && outcome !== 'succeeded' && outcome !== 'failed')
    throw new BadCall('outcome must be succeeded or failed')
  return changing(deps, (ctx) => {
    const intent = ctx.store.get('paymentIntents', rest)
    if (intent === undefined) throw new BadCall(`no payment intent ${rest}`)
    const invoice = finishDebit(ctx, intent, outcome)
    if (invoice === null) throw new BadCall(`the payment intent is ${intent.status}, not processing`)
    return { invoice: invoice.id, status: invoice.status }
  })
}

/** A bank answers a debit before its days are over. */
export const paymentHandlers: Readonly<Record<string, Handler>> = { 'POST /payments/*/settle': settle }
