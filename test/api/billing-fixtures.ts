import { ulid } from 'ulid'
import type { Database } from '../../src/db/connection.ts'
import type { Phase } from '../../src/domain/rate-card.ts'
import type { StripeCustomerView } from '../../src/stripe/customer-types.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import type { TemporalGateway } from '../../src/temporal/gateway.ts'
import { baseFee, mainPhase } from '../support/plans.ts'

/** A plan of a fixed fee. */
export const basePhase: Phase = mainPhase(baseFee())

export const freePhase: Phase = mainPhase()

interface PlanOptions {
  readonly key: string
  readonly version?: number
  readonly phases?: readonly Phase[]
  readonly currency?: string
  readonly draft?: boolean
}

export async function insertPlan(db: Database, options: PlanOptions): Promise<string> {
  const id = ulid()
  const published = options.draft === true ? null : new Date('2020-01-01T00:00:00Z')
  const phases = JSON.stringify(options.phases ?? [basePhase])
  await db
    .insertInto('plans')
    .values({
      id,
      key: options.key,
      version: options.version ?? 1,
      name: `Plan ${options.key}`,
      currency: options.currency ?? 'USD',
      billingCadence: 'P1M',
      phases,
      effectiveFrom: published,
    })
    .execute()
  return id
}

interface ProfileOptions {
  readonly collectionMethod?: 'charge_automatically' | 'send_invoice'
}

/** An installed app and the default billing profile that bills through it. */
export async function insertProfile(
  db: Database,
  options: ProfileOptions = {},
): Promise<{ appId: string; profileId: string }> {
  const [appId, profileId] = [ulid(), ulid()]
  await db
    .insertInto('apps')
    .values({
      id: appId,
      type: 'stripe',
      name: 'Stripe',
      stripeAccountId: 'acct_1',
      webhookSecretEncrypted: 'sealed',
    })
    .execute()
  const workflow = {
    collection: { alignment: { type: 'subscription' }, interval: 'P0D' },
    invoicing: {
      autoAdvance: true,
      draftPeriod: 'P0D',
      dueAfter: 'P30D',
      progressiveBilling: false,
      subscriptionEndProrationMode: 'bill_actual_period',
    },
    payment: { collectionMethod: options.collectionMethod ?? 'charge_automatically' },
    tax: { enabled: false, enforced: false },
  }
  await db
    .insertInto('billingProfiles')
    .values({
      id: profileId,
      name: 'Default',
      isDefault: true,
      appId,
      supplier: JSON.stringify({ name: 'Perennial Inc', addresses: [{ country: 'US' }] }),
      workflow: JSON.stringify(workflow),
      dunning: JSON.stringify({ retries: ['P3D'], end: 'leave_overdue', grace: 'P7D' }),
      lateUsage: JSON.stringify({ policy: 'bill_on_next', window: 'P30D' }),
    })
    .execute()
  return { appId, profileId }
}

interface CustomerOptions {
  readonly key: string
  readonly appId?: string
  readonly currency?: string
  readonly timezone?: string
  readonly testClockId?: string
}

export async function insertCustomer(db: Database, options: CustomerOptions): Promise<string> {
  const id = ulid()
  await db
    .insertInto('customers')
    .values({
      id,
      key: options.key,
      name: `Customer ${options.key}`,
      currency: options.currency ?? null,
      timezone: options.timezone ?? 'UTC',
      testClockId: options.testClockId ?? null,
    })
    .execute()
  await db
    .insertInto('customerSubjects')
    .values({ customerId: id, subjectKey: `subject-${options.key}` })
    .execute()
  if (options.appId !== undefined) {
    await db
      .insertInto('customerApps')
      .values({ customerId: id, appId: options.appId, stripeCustomerId: `cus_${options.key}` })
      .execute()
  }
  return id
}

export async function insertClock(db: Database, frozenTime: string): Promise<string> {
  const id = ulid()
  await db
    .insertInto('testClocks')
    .values({ id, name: 'clock', frozenTime: new Date(frozenTime) })
    .execute()
  return id
}

export interface Call {
  readonly name: string
  readonly args: readonly unknown[]
}

/** The engine is not part of these tests: what would be asked of it is written down, and `act` may change rows as it would. */
export function recordingTemporal(act: (call: Call) => Promise<void> | void = () => {}): {
  temporal: TemporalGateway
  calls: Call[]
} {
  const calls: Call[] = []
  const record =
    (name: string) =>
    async (...args: readonly unknown[]): Promise<void> => {
      calls.push({ name, args })
      await act({ name, args })
    }
  const temporal: TemporalGateway = {
    startSubscription: record('startSubscription'),
    startInvoice: record('startInvoice'),
    startTestClock: record('startTestClock'),
    signalInvoice: record('signalInvoice'),
    updateSubscription: record('updateSubscription'),
    updateInvoice: record('updateInvoice'),
    advanceTestClock: record('advanceTestClock'),
    tick: record('tick'),
    restartSubscription: async (request) => await record('restartSubscription')(request).then(() => true),
    restartInvoice: async (request) => await record('restartInvoice')(request).then(() => true),
    poke: async (id) => await record('poke')(id).then(() => true),
    openAmong: async (ids) => new Set(ids),
    listOpen: async () => ({ workflowIds: [], next: null }),
    pokeOpen: async () => ({ workflowIds: [], next: null }),
    checkHealth: async () => ({ ok: true, detail: 'recorded' }),
    close: async () => {},
  }
  return { temporal, calls }
}

/** The one question that subscribing asks of Stripe, answered with a customer. */
export function stripeWithCustomer(
  customer: Partial<StripeCustomerView>,
): Pick<StripeGateway, 'getCustomer'> {
  return {
    getCustomer: async (_app, id) => ({
      id,
      deleted: false,
      email: null,
      name: null,
      defaultPaymentMethodId: null,
      testClockId: null,
      currency: null,
      ...customer,
    }),
  }
}
