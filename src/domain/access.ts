/** When a subscription's access opens: at once, or once its first invoice is paid. */
export type AccessGate = 'none' | 'first_invoice'

export const accessStates = ['granted', 'pending_payment', 'suspended', 'not_started', 'ended'] as const
export type AccessState = (typeof accessStates)[number]

/** The first invoice of a subscription with something to collect. */
export interface FirstInvoice {
  readonly id: string
  readonly status: string
  readonly substatus: string | null
  readonly closedAtMs: number
  readonly paidAtMs: number | null
}

/** All that access depends on. */
export interface AccessFacts {
  /** The subscription's own present: its test clock's, if it has one. */
  readonly nowMs: number
  readonly gate: AccessGate
  readonly activeFromMs: number
  readonly activeToMs: number | null
  /** Its start was billed: whether there is something to pay first is known. */
  readonly isStartBilled: boolean
  /** When its first payment opened it. */
  readonly openedAtMs: number | null
  /** Null: nothing has come up that is to be paid. */
  readonly firstInvoice: FirstInvoice | null
  /** Of each invoice whose payment failed and was not made up for: access is kept until then. */
  readonly graceEndsMs: readonly number[]
}

export interface AccessDecision {
  readonly access: AccessState
  /** A sentence for people. */
  readonly reason: string
  readonly sinceMs: number
}

/**
 * Whether a subscription may be used. A gated one is closed until its first invoice with something to collect is paid, open
 * where nothing is to be paid yet, and stays open once it was; a payment that is processing opens nothing. Unpaid invoices
 * suspend access when the grace after the first failure is over (rule 32).
 */
export function decideAccess(facts: AccessFacts): AccessDecision {
  const { nowMs, activeFromMs, activeToMs } = facts
  if (activeToMs !== null && nowMs >= activeToMs)
    return decided('ended', 'The subscription has ended.', activeToMs)
  if (nowMs < activeFromMs) return decided('not_started', 'The subscription has not started.', activeFromMs)
  const opening = decideOpening(facts)
  if (opening.access !== 'granted') return opening
  const graceEndsMs = Math.min(...facts.graceEndsMs)
  if (graceEndsMs > nowMs) return opening
  return decided('suspended', 'A payment failed, and the time to make up for it is over.', graceEndsMs)
}

function decideOpening(facts: AccessFacts): AccessDecision {
  const { gate, activeFromMs, isStartBilled, openedAtMs, firstInvoice } = facts
  if (gate === 'none') return decided('granted', 'The subscription is active.', activeFromMs)
  if (openedAtMs !== null) return decided('granted', 'Its first invoice was paid.', openedAtMs)
  if (!isStartBilled) return decided('pending_payment', 'Its first invoice is being made.', activeFromMs)
  if (firstInvoice === null) return decided('granted', 'Nothing is to be paid yet.', activeFromMs)
  if (firstInvoice.status === 'paid') {
    return decided('granted', 'Its first invoice was paid.', firstInvoice.paidAtMs ?? firstInvoice.closedAtMs)
  }
  return decided('pending_payment', whatIsMissing(firstInvoice), firstInvoice.closedAtMs)
}

function whatIsMissing({ status, substatus }: FirstInvoice): string {
  if (status === 'payment_processing') return 'The payment of its first invoice is processing.'
  if (status === 'voided')
    return 'Its first invoice was voided unpaid; the next one opens it when it is paid.'
  if (status === 'draft') return 'Its first invoice was not sent yet.'
  if (substatus === 'action_required')
    return 'The payment of its first invoice is to be confirmed by the customer.'
  if (substatus === 'payment_failed' || substatus === 'payment_method_needed' || status === 'uncollectible')
    return 'The payment of its first invoice failed.'
  return 'Its first invoice is not paid yet.'
}

const decided = (access: AccessState, reason: string, sinceMs: number): AccessDecision => ({
  access,
  reason,
  sinceMs,
})
