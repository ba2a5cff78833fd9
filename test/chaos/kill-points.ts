import { createActivities } from '../../src/activities/create-activities.ts'
import type { ActivityDeps } from '../../src/activities/deps.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { MASTER_KEY } from '../support/installation.ts'
import type { CycleName } from './cycles.ts'

/** A place where the worker is killed, and a billing cycle that comes by it. */
export interface KillPoint {
  /** `group:name:when`, as the worker knows it. */
  readonly name: string
  readonly cycle: CycleName
}

/** Before; done, and nobody knows; done and reported. */
const moments = ['before', 'after_effect', 'after'] as const

// Made without dependencies: only the names are read, so whatever is added is killed at too.
const activities = Object.keys(createActivities({} as ActivityDeps))
export const stripeCalls = Object.keys(createStripeGateway({ masterKey: MASTER_KEY, limits: false }))

/** Which cycle comes by; every other activity or call is looked for in the ordinary one. */
const cycles: Readonly<Record<string, CycleName>> = {
  advanceInvoice: 'dunned',
  getInvoice: 'dunned',
  sendInvoice: 'e-mailed',
  markUncollectible: 'written off',
  voidInvoice: 'voided',
  syncDraft: 'running',
  deleteDraft: 'taken back',
  withoutTax: 'untaxed',
}

/** Stripe calls that a worker never makes in a cycle: the API makes them, or they are one step of another. */
export const outsideOfCycles: readonly string[] = [
  // When the app is installed or looked at.
  'inspectKey',
  'createWebhookEndpoint',
  'deleteWebhookEndpoint',
  'checkWebhookEndpoint',
  'newestEventId',
  // The poller makes it, and a worker of these cycles has none.
  'listEvents',
  // No calls: computed here.
  'encryptSecret',
  'decryptSecret',
  'resealSecret',
  'verifyWebhook',
  // When a customer is linked.
  'getCustomer',
  'createCustomer',
  'attachPaymentMethod',
  'setDefaultPaymentMethod',
  'getPaymentMethod',
  'createTestClock',
  'getTestClock',
  // syncInvoice looks for what is lost itself.
  'findInvoice',
  // The API makes them, for the pages at Stripe.
  'createCheckoutSession',
  'getCheckoutSession',
  'getSetupIntent',
  'createPortalConfiguration',
  'createPortalSession',
  // When an app is installed, looked after or mapped, by the API and by timers.
  'probePermissions',
  'enableWebhookEndpoint',
  'getPrice',
  // The relay makes them when an event or a row of the outbox says so, which comes again until it is done.
  'setCustomerEmail',
  'getAdjustments',
  'getSubscriber',
  'invoicesOnLines',
  // Stripe bills items on invoices of its own: these cycles have none. Lost replies are in m3ter-ways and races-at-stripe.
  'listItems',
  'createItem',
  'updateItem',
  'deleteItem',
  'findDraft',
  'lastInvoice',
  'getSubscription',
]

/** The first and the last transaction of the step that bills a boundary: killed before and after their commits. */
const transactions = ['1 (closing)', '2 (settle)'] as const

const everyMoment = (group: string, names: readonly string[]): readonly KillPoint[] =>
  names.flatMap((name) =>
    moments.map((when) => ({ name: `${group}:${name}:${when}`, cycle: cycles[name] ?? 'ordinary' })),
  )

export const activityPoints: readonly KillPoint[] = everyMoment('activity', activities)

export const stripePoints: readonly KillPoint[] = everyMoment(
  'stripe',
  stripeCalls.filter((name) => !outsideOfCycles.includes(name)),
)

export const commitPoints: readonly KillPoint[] = transactions.flatMap((name) =>
  ['before', 'after'].map((when) => ({ name: `commit:${name}:${when}`, cycle: 'ordinary' as const })),
)
