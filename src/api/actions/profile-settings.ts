import { effectiveProfile } from '../../billing/settings.ts'
import type { BillingOverrideContent, BillingProfileRow } from '../../db/stores/billing-profiles.ts'
import { parseTerm } from '../../domain/calendar.ts'
import { isKnownCurrency } from '../../domain/currency.ts'
import { defaultDunningPolicy, dunningProblems } from '../../domain/dunning.ts'
import type { DunningPolicy } from '../../domain/dunning.ts'
import { DomainError } from '../../domain/errors.ts'
import type {
  BillingProfileReplaceUpdate,
  BillingWorkflow,
  BillingWorkflowCreate,
  Dunning,
  LateUsage,
  OverrideCreate,
} from '../schemas/billing-profiles.ts'
import type { AccessSettings, StripeSettings } from '../schemas/profile-settings.ts'

/** The documents of a profile, complete: nothing downstream knows a default. */
export interface CompleteSettings {
  readonly workflow: BillingWorkflow
  readonly dunning: Dunning
  readonly lateUsage: LateUsage
  readonly access: AccessSettings
  readonly stripe: StripeSettings
  readonly defaultCurrency: string | null
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

const defaultAccess: AccessSettings = { gate: 'none' }
const defaultStripe: StripeSettings = {
  billing: 'invoice',
  synchronize: 'at_issuing',
  send: 'every_bill',
  paymentMethodTypes: [],
}

function complete(given: BillingWorkflowCreate): BillingWorkflow {
  return {
    collection: { ...defaultWorkflow.collection, ...given.collection },
    invoicing: { ...defaultWorkflow.invoicing, ...given.invoicing },
    payment: { ...defaultWorkflow.payment, ...given.payment },
    tax: { ...defaultWorkflow.tax, ...given.tax },
  }
}

/** What is checked of settings that apply, a profile's own or with a customer's overrides in them. */
interface Applying {
  readonly workflow: {
    readonly collection: { readonly interval: string }
    readonly invoicing: { readonly draftPeriod: string; readonly dueAfter: string }
  }
  readonly dunning: DunningPolicy
  readonly lateUsage: { readonly window: string }
  readonly stripe: Pick<StripeSettings, 'billing' | 'synchronize'>
}

function checkSettings({ workflow, dunning, lateUsage, stripe }: Applying): void {
  parseTerm(workflow.collection.interval, 'workflow.collection.interval')
  parseTerm(workflow.invoicing.draftPeriod, 'workflow.invoicing.draftPeriod')
  parseTerm(workflow.invoicing.dueAfter, 'workflow.invoicing.dueAfter')
  parseTerm(lateUsage.window, 'lateUsage.window')
  parseTerm(dunning.grace, 'dunning.grace')
  for (const [index, retry] of dunning.retries.entries()) parseTerm(retry, `dunning.retries[${index}]`)
  const [problem] = dunningProblems(dunning)
  if (problem !== undefined) refuse(`dunning.${problem.field}`, `It ${problem.message}.`)
  // The items of a Stripe subscription are attached by runs that are asked for; there is no draft of ours that could grow.
  if (stripe.billing === 'subscription_items' && stripe.synchronize === 'continuously')
    refuse('stripe.synchronize', 'With subscription_items there is no draft invoice to keep in step.')
}

function refuse(field: string, detail: string): never {
  throw new DomainError('validation_failed', detail, { field })
}

/** Fills in every default. Errors, each with its field: invalid_duration, unknown_currency, validation_failed. */
export function profileSettings(
  input: Omit<BillingProfileReplaceUpdate, 'name' | 'supplier' | 'default'>,
): CompleteSettings {
  const settings: CompleteSettings = {
    workflow: complete(input.workflow),
    dunning: { ...defaultDunningPolicy, retries: [...defaultDunningPolicy.retries], ...input.dunning },
    lateUsage: { ...defaultLateUsage, ...input.lateUsage },
    access: { ...defaultAccess, ...input.access },
    stripe: { ...defaultStripe, ...input.stripe },
    defaultCurrency: input.defaultCurrency ?? null,
  }
  checkSettings(settings)
  const { defaultCurrency } = settings
  if (defaultCurrency !== null && !isKnownCurrency(defaultCurrency))
    throw new DomainError('unknown_currency', `${defaultCurrency} is not a currency.`, {
      field: 'defaultCurrency',
    })
  return settings
}

/** What an override says, checked as it applies: on top of the profile that bills the customer. */
export function overrideContent(input: OverrideCreate, profile: BillingProfileRow): BillingOverrideContent {
  const content = {
    billingProfileId: input.billingProfileId ?? null,
    workflow: input.workflow ?? null,
    dunning: input.dunning ?? null,
    lateUsage: input.lateUsage ?? null,
    access: input.access ?? null,
    stripe: input.stripe ?? null,
  }
  checkSettings(effectiveProfile(profile, content))
  return content
}
