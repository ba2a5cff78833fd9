import { addDuration } from '../domain/calendar.ts'
import { assertNever } from '../domain/errors.ts'
import type { ClosingPlan } from './closing-plan.ts'
import type { BillingSettings } from './settings.ts'

/** Where a new invoice begins, and what it waits for first. */
export interface InvoiceBeginning {
  readonly status: 'draft' | 'issuing' | 'paid'
  readonly substatus: string | null
  readonly draftUntilMs: number | null
  readonly nextDueMs: number | null
  /** It must wait, so it gets a workflow of its own. */
  readonly waits: boolean
}

const settled = (substatus: string): InvoiceBeginning => ({
  status: 'paid',
  substatus,
  draftUntilMs: null,
  nextDueMs: null,
  waits: false,
})

/**
 * Decides where an invoice begins: nothing to collect is settled at once (rule 21), approval and the draft period wait,
 * everything else is issued in the same step.
 */
export function beginInvoice(plan: ClosingPlan, asOfMs: number): InvoiceBeginning {
  switch (plan.totals.disposition) {
    case 'settled_zero':
      return settled('settled_zero')
    case 'carried':
      return settled(plan.totals.isRemainder ? 'remainder_reported' : 'carried_forward')
    case 'nothing':
    case 'collect':
      return beginCollected(plan.settings, asOfMs, plan.subscription.timezone)
    default:
      return assertNever(plan.totals.disposition)
  }
}

function beginCollected(
  { workflow, stripe }: Pick<BillingSettings, 'workflow' | 'stripe'>,
  asOfMs: number,
  timeZone: string,
): InvoiceBeginning {
  if (!workflow.invoicing.autoAdvance || stripe.send === 'approved_bills') {
    return {
      status: 'draft',
      substatus: 'waiting_approval',
      draftUntilMs: null,
      nextDueMs: null,
      waits: true,
    }
  }
  const draftUntilMs = addDuration(asOfMs, workflow.invoicing.draftPeriod, timeZone)
  if (draftUntilMs > asOfMs) {
    return {
      status: 'draft',
      substatus: 'waiting_draft_period',
      draftUntilMs,
      nextDueMs: draftUntilMs,
      waits: true,
    }
  }
  return { status: 'issuing', substatus: null, draftUntilMs: null, nextDueMs: asOfMs, waits: false }
}
