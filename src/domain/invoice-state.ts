import { DomainError } from './errors.ts'

export const invoiceStatuses = [
  'draft',
  'issuing',
  'issued',
  'payment_processing',
  'overdue',
  'paid',
  'uncollectible',
  'voided',
] as const
export type InvoiceStatus = (typeof invoiceStatuses)[number]

/** What can happen to an invoice: commands of people, and facts that the processor or the clock reports. */
export const invoiceEvents = [
  'approve',
  'draft_period_ended',
  'issue_failed',
  'retry',
  'issued',
  'payment_processing',
  'payment_failed',
  'paid',
  'due_passed',
  'write_off',
  'void',
] as const
export type InvoiceEvent = (typeof invoiceEvents)[number]

/**
 * The one table of transitions; what is not in it does not happen. `paid` leaves every state that is not final: Stripe
 * may collect while we wait, and what is paid after it was written off is paid. A payment that is processing can be
 * neither voided nor overdue (rule 32).
 */
const invoiceTransitions: Readonly<
  Record<InvoiceStatus, Readonly<Partial<Record<InvoiceEvent, InvoiceStatus>>>>
> = {
  draft: { approve: 'issuing', draft_period_ended: 'issuing', paid: 'paid', void: 'voided' },
  issuing: { issue_failed: 'issuing', retry: 'issuing', issued: 'issued', paid: 'paid', void: 'voided' },
  issued: {
    payment_processing: 'payment_processing',
    payment_failed: 'issued',
    retry: 'issued',
    paid: 'paid',
    due_passed: 'overdue',
    write_off: 'uncollectible',
    void: 'voided',
  },
  payment_processing: { payment_processing: 'payment_processing', payment_failed: 'issued', paid: 'paid' },
  overdue: {
    payment_processing: 'payment_processing',
    payment_failed: 'overdue',
    retry: 'overdue',
    paid: 'paid',
    write_off: 'uncollectible',
    void: 'voided',
  },
  uncollectible: { paid: 'paid', void: 'voided' },
  paid: {},
  voided: {},
}

/** Where an event leads; null when it does not apply, as for a webhook that comes late or twice (rule 30). */
export function nextStatus(status: InvoiceStatus, event: InvoiceEvent): InvoiceStatus | null {
  return invoiceTransitions[status][event] ?? null
}

/**
 * Where an event leads.
 * @throws DomainError action_not_available
 */
export function transition(status: InvoiceStatus, event: InvoiceEvent): InvoiceStatus {
  const next = nextStatus(status, event)
  if (next !== null) return next
  throw new DomainError('action_not_available', `${event} is not possible while the invoice is ${status}`, {
    details: { status, event },
  })
}

export interface InvoiceState {
  readonly status: InvoiceStatus
  /**
   * The finer state within the status:
   * - draft: `accruing` (its period is open: every run rates it anew), `waiting_approval`, `waiting_draft_period`;
   *   `withdrawn`, `settled_zero`, `carried_forward`, `remainder_reported` until nothing of it is at Stripe
   * - issuing: `failed` (its reason is on the row; `retry` goes on), `waiting_for_stripe` (tried again by itself)
   * - issued and overdue: `action_required` (3-D Secure), `payment_failed` (a retry is planned),
   *   `payment_method_needed` (a hard decline, or none yet), `dunning_ended`
   */
  readonly substatus: string | null
  /** Accruing, and only sent to the processor once a person has approved it: not approved since it was rated last. */
  readonly waitsToBeSent?: boolean
}

/** What people can do with an invoice now. */
export type InvoiceAction = 'approve' | 'retry' | 'void'

const retriable: ReadonlySet<string | null> = new Set([
  'failed',
  'waiting_for_stripe',
  'action_required',
  'payment_failed',
  'payment_method_needed',
  'dunning_ended',
])

/** Drafts that are no person's to decide on: an open period's is closed by its subscription. */
const growing: ReadonlySet<string | null> = new Set([
  'accruing',
  'withdrawn',
  'settled_zero',
  'carried_forward',
  'remainder_reported',
])

/** The actions that are available, each with the status it leads to when all goes well. */
export function availableActions(
  state: InvoiceState,
): Readonly<Partial<Record<InvoiceAction, { readonly resultingState: InvoiceStatus }>>> {
  const { status } = state
  if (status === 'draft' && growing.has(state.substatus)) {
    return state.waitsToBeSent === true ? { approve: { resultingState: 'draft' } } : {}
  }
  const approve = status === 'draft' ? { approve: { resultingState: 'issued' as const } } : {}
  const retry = canRetry(state)
    ? { retry: { resultingState: status === 'issuing' ? ('issued' as const) : ('paid' as const) } }
    : {}
  const canVoid =
    nextStatus(status, 'void') !== null && !(status === 'issuing' && state.substatus !== 'failed')
  return { ...approve, ...retry, ...(canVoid ? { void: { resultingState: 'voided' as const } } : {}) }
}

/** An issued invoice is retried only after a payment failed; while one may still succeed, another could pay twice. */
function canRetry({ status, substatus }: InvoiceState): boolean {
  return nextStatus(status, 'retry') !== null && (status === 'overdue' || retriable.has(substatus))
}

/**
 * Refuses an action that is not available, with the same table that shows them.
 * @throws DomainError action_not_available
 */
export function requireAction(state: InvoiceState, action: InvoiceAction): void {
  if (availableActions(state)[action] !== undefined) return
  throw new DomainError(
    'action_not_available',
    `${action} is not possible while the invoice is ${state.status}`,
    {
      details: {
        status: state.status,
        substatus: state.substatus,
        available: Object.keys(availableActions(state)),
      },
    },
  )
}

/** Whether the invoice waits for money. */
export function isCollecting(status: InvoiceStatus): boolean {
  return status === 'issued' || status === 'payment_processing' || status === 'overdue'
}

/**
 * Nothing of ours is left to do, so no workflow runs for it and no clock waits for it. `uncollectible` is among them: a
 * payment that comes all the same is booked by its webhook.
 */
export const settledStatuses: readonly InvoiceStatus[] = ['paid', 'voided', 'uncollectible']

/** What nothing happens to any more. */
export const finalStatuses: readonly InvoiceStatus[] = invoiceStatuses.filter(
  (status) => Object.keys(invoiceTransitions[status]).length === 0,
)

/** Whether nothing happens to the invoice any more. */
export function isFinal(status: InvoiceStatus): boolean {
  return finalStatuses.includes(status)
}

/**
 * Whether its workflow may end. What was written off waits on while it is due: Stripe reported something of it, which
 * may be its payment, and could not be asked.
 */
export function isSettled(invoice: { readonly status: InvoiceStatus; readonly isDue: boolean }): boolean {
  return invoice.isDue ? isFinal(invoice.status) : settledStatuses.includes(invoice.status)
}

/** Whether its amounts are fixed: only a draft may still change. */
export function isImmutable(status: InvoiceStatus): boolean {
  return status !== 'draft'
}
