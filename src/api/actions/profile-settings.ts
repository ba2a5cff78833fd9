import { addDuration, parseTerm } from '../../domain/calendar.ts'
import { defaultDunningPolicy } from '../../domain/dunning.ts'
import { DomainError } from '../../domain/errors.ts'
import type {
  BillingProfileReplaceUpdate,
  BillingWorkflow,
  BillingWorkflowCreate,
  Dunning,
  LateUsage,
} from '../schemas/billing-profiles.ts'

/** The documents of a profile, complete: nothing downstream knows a default. */
export interface ProfileSettings {
  readonly workflow: BillingWorkflow
  readonly dunning: Dunning
  readonly lateUsage: LateUsage
}

/**
 * Tax is off unless asked for, unlike in the contract: an account at Stripe without a tax setup refuses every invoice that asks for
 * it. Collection does not wait: late usage is billed on the next invoice (billing rule 9).
 */
const defaultWorkflow: BillingWorkflow = {
  collection: { alignment: { type: 'subscription' }, interval: 'PT0S' },
  invoicing: {
    autoAdvance: true,
    draftPeriod: 'P0D',
    dueAfter: 'P30D',
    progressiveBilling: false,
    subscriptionEndProrationMode: 'bill_actual_period',
  },
  payment: { collectionMethod: 'charge_automatically' },
  tax: { enabled: false, enforced: false },
}
const defaultLateUsage: LateUsage = { policy: 'bill_on_next', window: 'P3M' }

function complete(given: BillingWorkflowCreate): BillingWorkflow {
  return {
    collection: { ...defaultWorkflow.collection, ...given.collection },
    invoicing: { ...defaultWorkflow.invoicing, ...given.invoicing },
    payment: { ...defaultWorkflow.payment, ...given.payment },
    tax: { ...defaultWorkflow.tax, ...given.tax },
  }
}

/** Where durations stand, by field: each has to be one. */
function checkDurations({ workflow, dunning, lateUsage }: ProfileSettings): void {
  parseTerm(workflow.collection.interval, 'workflow.collection.interval')
  parseTerm(workflow.invoicing.draftPeriod, 'workflow.invoicing.draftPeriod')
  parseTerm(workflow.invoicing.dueAfter, 'workflow.invoicing.dueAfter')
  parseTerm(dunning.grace, 'dunning.grace')
  parseTerm(lateUsage.window, 'lateUsage.window')
  dunning.retries.forEach((retry, index) => parseTerm(retry, `dunning.retries[${index}]`))
}

/** Counted from the first failure, so each retry is after the one before (billing rule 32). */
function checkRetriesIncrease(retries: readonly string[]): void {
  const instants = retries.map((retry) => addDuration(0, retry, 'UTC'))
  const wrong = instants.findIndex((at, index) => at <= (instants[index - 1] ?? 0))
  if (wrong === -1) return
  throw new DomainError(
    'validation_failed',
    'Each retry must be later after the first failure than the one before.',
    { field: `dunning.retries[${wrong}]` },
  )
}

/** Fills in every default, and refuses what is no duration. */
export function profileSettings(
  input: Pick<BillingProfileReplaceUpdate, 'workflow' | 'dunning' | 'lateUsage'>,
): ProfileSettings {
  const settings: ProfileSettings = {
    workflow: complete(input.workflow),
    dunning: { ...defaultDunningPolicy, retries: [...defaultDunningPolicy.retries], ...input.dunning },
    lateUsage: { ...defaultLateUsage, ...input.lateUsage },
  }
  checkDurations(settings)
  checkRetriesIncrease(settings.dunning.retries)
  return settings
}
