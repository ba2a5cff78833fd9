import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { steerSandbox } from '../support/stripe-client.ts'
import { databaseContent } from './bad-input/content.ts'
import { send } from './bad-input/send.ts'
import type { BadRequest } from './bad-input/send.ts'
import { catalogCases } from './bad-input/catalog-cases.ts'
import { customerCases } from './bad-input/customer-cases.ts'
import { eventCases } from './bad-input/event-cases.ts'
import { requestCases } from './bad-input/request-cases.ts'
import { subscriptionCases } from './bad-input/subscription-cases.ts'

let installation: Installation
/** Ids that the cases name as `{clock}`, `{subscription}` and so on. */
let ids: Readonly<Record<string, string>>

interface HasId {
  readonly id: string
}

beforeAll(async () => {
  installation = await startInstallation()
  const scenario = await startScenario(installation, { frozenTime: '2026-01-01T00:00:00Z' })
  await addTokenPlan(installation)
  ids = { ...(await plansAt(installation)), ...(await customersAt(installation, scenario)) }
  await settled()
})
afterAll(async () => {
  await installation.close()
})

async function plansAt({ call }: Installation) {
  const planOf = (key: string, changed: { cadence?: string; amount?: string }) => {
    const { cadence = 'P1M', amount = '1' } = changed
    const price = { type: 'flat', amount }
    const rateCards = [{ type: 'flat_fee', key: 'base', name: 'Base', billingCadence: 'P1M', price }]
    const phases = [{ key: 'main', name: 'Main', duration: null, rateCards }]
    return { key, name: key, currency: 'USD', billingCadence: cadence, phases }
  }
  await call('POST', '/api/v1/plans', planOf('drafted', {}))
  const uneven = await call<HasId>('POST', '/api/v1/plans', planOf('uneven', { cadence: 'P4W' }))
  const negative = await call<HasId>('POST', '/api/v1/plans', planOf('negative', { amount: '-1' }))
  const { items } = await call<{ items: HasId[] }>('GET', '/api/v1/plans?key=tokens_monthly')
  return {
    unevenPlan: uneven.id,
    negativePlan: negative.id,
    publishedPlan: items[0]?.id ?? '',
  }
}

async function customersAt(installation: Installation, scenario: Scenario) {
  const { call } = installation
  const good = await addCustomer(installation, scenario, { key: 'good' })
  const cardless = await addCustomer(installation, scenario, { key: 'cardless', card: null })
  const mailless = await addCustomer(installation, scenario, { key: 'mailless' })
  const profile = await call<HasId>('POST', '/api/v1/billing/profiles', {
    name: 'By e-mail',
    default: false,
    supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
    workflow: { payment: { collectionMethod: 'send_invoice' } },
    apps: { tax: scenario.appId, invoicing: scenario.appId, payment: scenario.appId },
  })
  await call('PUT', `/api/v1/billing/customers/${mailless.id}`, { billingProfileId: profile.id })
  const subscription = await call<HasId>('POST', '/api/v1/subscriptions', {
    customerId: good.id,
    plan: { key: 'tokens_monthly' },
  })
  await call('POST', `/api/v1/subscriptions/${subscription.id}/cancel`, { timing: 'next_billing_cycle' })
  const named = { good: good.id, cardless: cardless.id, mailless: mailless.id }
  return {
    ...named,
    clock: scenario.clockId ?? '',
    profile: profile.id,
    app: scenario.appId,
    subscription: subscription.id,
  }
}

/** Until nothing is on its way any more: what changes after that, a request changed. */
async function settled(): Promise<void> {
  const { db } = installation.database
  await waitFor(
    async () => ({
      told: await steerSandbox<{ pending: number; failing: number }>(installation.sandboxUrl, {
        method: 'GET',
        path: '/settled',
      }),
      unpaid: await db.selectFrom('invoices').select('id').where('status', '!=', 'paid').execute(),
      outbox: await db.selectFrom('outbox').select('id').where('doneAt', 'is', null).execute(),
      inbox: await db.selectFrom('stripeEvents').select('eventId').where('processedAt', 'is', null).execute(),
      invoices: await db.selectFrom('invoices').select('id').execute(),
      events: await db
        .selectFrom('stripeEvents')
        .select('eventId')
        .where('type', '=', 'invoice.paid')
        .execute(),
    }),
    (left) =>
      left.told.pending + left.told.failing === 0 &&
      left.unpaid.length + left.outbox.length + left.inbox.length === 0 &&
      left.invoices.length === 1 &&
      left.events.length === 1,
  )
  let before = ''
  await waitFor(
    async () => {
      const last = before
      before = JSON.stringify(await databaseContent(db))
      return last === before
    },
    (same) => same,
  )
}

const cases: readonly BadRequest[] = [
  ...eventCases,
  ...catalogCases,
  ...customerCases,
  ...subscriptionCases,
  ...requestCases,
]

test.each(cases.map((bad) => [bad.name, bad] as const))(
  '%s is refused and changes nothing',
  async (_name, bad) => {
    const { db } = installation.database
    const before = await databaseContent(db)
    const answer = await send(installation.url, bad, ids)
    expect(answer.problem).toMatchObject({
      status: bad.status,
      code: bad.code,
      ...(bad.field !== undefined && { field: bad.field }),
      detail: expect.stringMatching(bad.detail),
      title: expect.stringMatching(/\w/),
      instance: expect.stringContaining('urn:request:'),
    })
    expect(answer.status).toBe(bad.status)
    expect(answer.contentType).toBe('application/problem+json')
    expect(await databaseContent(db)).toEqual(before)
  },
)
