import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../../support/installation.ts'
import type { Installation } from '../../support/installation.ts'
import { addCustomer, addTokenPlan, advanceTo, startScenario, waitFor } from '../../support/scenario.ts'
import type { Scenario } from '../../support/scenario.ts'
import { stripeDelete, stripePost } from '../../support/stripe-client.ts'
import { testTemporalAddress } from '../../support/temporal.ts'
import { whatMoves } from '../fleet/rest.ts'
import { auditFleet } from './audit-fleet.ts'
import type { Check } from './contract.ts'
import { invoiceOf, rowBreaks } from './row-breaks.ts'

let installation: Installation
let scenario: Scenario
let folder: string
let sql: Client

beforeAll(async () => {
  installation = await startInstallation()
  sql = new Client({ connectionString: installation.database.url })
  await sql.connect()
  folder = await mkdtemp(join(tmpdir(), 'perennial-audit-'))
  scenario = await startScenario(installation, {
    frozenTime: '2026-01-01T00:00:00Z',
    lateUsage: { policy: 'bill_on_next', window: 'P2M' },
    dunning: { retries: ['P3D'], end: 'leave_overdue', grace: 'P7D' },
  })
  await addTokenPlan(installation)
  await makeFleet()
})
afterAll(async () => {
  await sql.end()
  await installation.close()
  await rm(folder, { recursive: true, force: true })
})

let sent = 0
/** Sends usage, and notes it as a producer does that was answered. */
async function use(subject: string, time: string, tokens: number): Promise<void> {
  await useAs(`${(sent += 1)}`, { subject, time, tokens })
}

interface Usage {
  readonly subject: string
  readonly time: string
  readonly tokens: number
}

async function useAs(id: string, { subject, time, tokens }: Usage): Promise<void> {
  const data = { tokens, kind: 'context' }
  const event = { specversion: '1.0', id, source: 'audit', type: 'request', subject, time, data }
  await installation.call('POST', '/api/v1/events', [event])
  const answered = { ...event, answeredAt: Date.now() }
  await appendFile(join(folder, 'accepted.ndjson'), `${JSON.stringify(answered)}\n`)
}

const promised = { subscribers: [] as string[], voided: [] as string[], canceled: [] as string[] }

interface Subscriber {
  readonly card: string | null
  readonly profileId?: string
  readonly planKey?: string
}

async function subscribe(key: string, options: Subscriber): Promise<string> {
  const { call } = installation
  const { card, profileId, planKey = 'tokens_monthly' } = options
  const { id } = await addCustomer(installation, scenario, { key, card, email: `${key}@example.com` })
  if (profileId !== undefined)
    await call('PUT', `/api/v1/billing/customers/${id}`, { billingProfileId: profileId })
  const made = await call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId: id,
    plan: { key: planKey },
  })
  promised.subscribers.push(key)
  return made.id
}

/** A cent a token, and no fee. */
async function addUsagePlan(): Promise<string> {
  const rateCard = {
    type: 'usage_based',
    key: 'tokens',
    featureKey: 'tokens',
    name: 'Tokens',
    billingCadence: 'P1M',
    price: { type: 'unit', amount: '0.01' },
  }
  const phases = [{ key: 'main', name: 'Main', duration: null, rateCards: [rateCard] }]
  const plan = { key: 'usage_only', name: 'Usage', currency: 'USD', billingCadence: 'P1M', phases }
  const { id } = await installation.call<{ id: string }>('POST', '/api/v1/plans', plan)
  await installation.call('POST', `/api/v1/plans/${id}/publish`)
  return plan.key
}

/** Voids the one invoice of a subscription that was sent, with a balance of the month before on it. */
async function voidSent(subscriptionId: string): Promise<void> {
  const path = `/api/v1/subscriptions/${subscriptionId}/invoices`
  const { items } = await installation.call<{ items: { id: string; status: string }[] }>('GET', path)
  const issued = items.find(({ status }) => status === 'issued')
  const action = { percentage: 100, action: { type: 'discard' } }
  await installation.call('POST', `/api/v1/billing/invoices/${issued?.id}/void`, { action, reason: 'a test' })
  promised.voided.push(issued?.id ?? '')
}

/** Canceled at once, at the instant at which it began, after the fee of its first month was billed. */
async function giveUp(subscriptionId: string): Promise<void> {
  const path = `/api/v1/subscriptions/${subscriptionId}`
  await waitFor(
    async () => await installation.call<{ totalCount: number }>('GET', `${path}/invoices`),
    ({ totalCount }) => totalCount === 1,
  )
  await installation.call('POST', `${path}/cancel`, { timing: 'immediate' })
  promised.canceled.push(subscriptionId)
}

/** Paid, declined, e-mailed and voided; usage in time, twice and late; canceled within a period and at the start; a running one. */
async function makeFleet(): Promise<void> {
  const { appId, clockId } = scenario
  const profile = await installation.call<{ id: string }>('POST', '/api/v1/billing/profiles', {
    name: 'By e-mail',
    default: false,
    supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
    workflow: { payment: { collectionMethod: 'send_invoice' } },
    apps: { tax: appId, invoicing: appId, payment: appId },
  })
  await subscribe('paid', { card: 'pm_card_visa' })
  await subscribe('declined', { card: 'pm_card_chargeCustomerFail' })
  await subscribe('emailed', { card: null, profileId: profile.id })
  const voided = await subscribe('voided', {
    card: null,
    profileId: profile.id,
    planKey: await addUsagePlan(),
  })
  const canceled = await subscribe('canceled', { card: 'pm_card_visa' })
  await giveUp(await subscribe('given up', { card: 'pm_card_visa' }))
  const running = await subscribe('running', { card: 'pm_card_visa', planKey: 'usage_only' })
  await use('paid', '2026-01-10T00:00:00Z', 800)
  await use('emailed', '2026-01-31T23:59:59.999Z', 2500)
  await use('canceled', '2026-02-10T00:00:00Z', 300)
  await useAs('little', { subject: 'voided', time: '2026-01-10T00:00:00Z', tokens: 30 })
  await useAs('enough', { subject: 'voided', time: '2026-02-10T00:00:00Z', tokens: 200 })
  await advanceTo(installation, clockId ?? '', '2026-02-03T00:00:00Z')
  await use('paid', '2026-01-20T00:00:00Z', 300)
  await use('paid', '2026-02-01T00:00:00Z', 7)
  await installation.call('POST', `/api/v1/subscriptions/${canceled}/cancel`, {
    timing: '2026-02-15T00:00:00Z',
  })
  await advanceTo(installation, clockId ?? '', '2026-03-03T00:00:00Z')
  await voidSent(voided)
  await use('paid', '2026-03-02T00:00:00Z', 40)
  // Less than Stripe collects: what is carried forward is booked when the period closes.
  await use('running', '2026-03-02T00:00:00Z', 30)
  await installation.call('POST', `/api/v1/subscriptions/${running}/invoice-now`)
  await comeToRest()
}

/** What Stripe tells of the last that was done is acted on after its answer: a voided invoice is looked at once more. */
async function comeToRest(): Promise<void> {
  const { database, sandboxUrl } = installation
  const temporalAddress = await testTemporalAddress()
  await waitFor(
    async () => await whatMoves({ databaseUrl: database.url, temporalAddress, sandboxUrl }),
    (moving) => moving.length === 0,
  )
}

async function audit(): Promise<readonly Check[]> {
  const { checks } = await auditFleet({
    databaseUrl: installation.database.url,
    sandboxUrl: installation.sandboxUrl,
    temporalAddress: await testTemporalAddress(),
    namespace: 'default',
    taskQueue: installation.taskQueue,
    logFolder: folder,
    acceptedEventsFile: join(folder, 'accepted.ndjson'),
    promised,
    secrets: ['test-master-key-test-master-key-0'],
    announced: { errors: ['ECONNREFUSED'] },
  })
  return checks
}

const violationsOf = (checks: readonly Check[]): readonly string[] =>
  checks.flatMap(({ name, violations }) => violations.map((violation) => `${name}: ${violation}`))

test('a fleet that was billed rightly is found right, and every check looked at something', async () => {
  const checks = await audit()
  expect(violationsOf(checks)).toEqual([])
  for (const { name, examined } of checks) expect(examined, name).toBeGreaterThan(0)
})

interface Break {
  readonly what: string
  readonly apply: () => Promise<unknown>
  readonly undo: () => Promise<unknown>
  readonly seen: readonly RegExp[]
}

async function run(statement: string): Promise<void> {
  await sql.query(`BEGIN; SET LOCAL session_replication_role = replica; ${statement}; COMMIT`)
}

/** What the sandbox does beyond Stripe. */
async function steer(method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${installation.sandboxUrl}/_sandbox/${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return await response.json()
}

let draft = ''
const breaks: readonly Break[] = [
  ...rowBreaks.map(({ apply, undo, ...rest }) => ({
    ...rest,
    apply: async () => await run(apply),
    undo: async () => await run(undo),
  })),
  {
    what: 'an invoice at Stripe has no row',
    apply: async () => {
      await steer('POST', 'webhooks/rules', { action: 'drop', type: '^invoice', times: 0 })
      const { id: customer } = await stripePost(installation.sandboxUrl, 'customers', { name: 'nobody' })
      draft = (await stripePost(installation.sandboxUrl, 'invoices', { customer })).id
    },
    undo: async () => {
      await stripeDelete(installation.sandboxUrl, `invoices/${draft}`)
      await steer('DELETE', 'webhooks/rules')
    },
    seen: [/is at Stripe without a row/],
  },
  {
    what: 'a log holds a key, an address, a card and an error that nobody announced',
    apply: async () =>
      await writeFile(
        join(folder, 'api.log'),
        [
          { level: 30, key: 'sk_test_sandbox' },
          { level: 30, to: 'somebody@example.com' },
          { level: 30, path: '/v1/customers?email=somebody%40example.com' },
          { level: 30, card: '4242424242424242' },
          { level: 40, secret: 'test-master-key-test-master-key-0' },
          { level: 50, err: { code: 'ECONNREFUSED' }, msg: 'the database is away' },
          { level: 50, err: { code: 'XX000' }, msg: 'something else' },
          {
            level: 40,
            details: 'Status: \n@type.googleapis.com/temporal.api.errordetails.v1.NotFoundFailure',
          },
        ]
          .map((entry) => `${JSON.stringify(entry)}\n`)
          .join(''),
      ),
    undo: async () => await rm(join(folder, 'api.log')),
    seen: [
      /api.log:1 holds a key of Stripe/,
      /api.log:2 holds an e-mail address/,
      /api.log:3 holds an e-mail address/,
      /api.log:4 holds a card number/,
      /api.log:5 holds a secret of the run/,
      /api.log:7 is an error: XX000, something else/,
    ],
  },
]

test.for(breaks.map((each) => [each.what, each] as const))('it is seen when %s', async ([, each]) => {
  await each.apply()
  let violations: readonly string[] = []
  try {
    violations = violationsOf(await audit())
  } finally {
    await each.undo()
  }
  for (const pattern of each.seen) expect(violations).toContainEqual(expect.stringMatching(pattern))
  expect(violations.join('\n')).not.toMatch(/ECONNREFUSED|api\.log:8/)
})

test('all of it was put right again', async () => {
  await comeToRest()
  expect(violationsOf(await audit())).toEqual([])
})

// These cannot be undone.
test('a charge that was made twice or paid back is seen, and so is what was put into a history', async () => {
  const { sandboxUrl, client } = installation
  const { rows: found } = await sql.query<{ id: string; theirs: string }>(
    `SELECT id, stripe_invoice_id AS theirs FROM invoices
     WHERE id IN (${invoiceOf('paid', '02')}, ${invoiceOf('emailed', '03')}) ORDER BY status DESC`,
  )
  const [paid, open] = found
  const { charges: all } = (await steer('GET', 'dump?table=charges')) as {
    charges: { id: string; _invoice: string }[]
  }
  const charge = all.find(({ _invoice: invoice }) => invoice === paid?.theirs)
  await stripePost(sandboxUrl, 'refunds', { charge: charge?.id ?? '' })
  await client.workflow
    .getHandle(`invoice/${open?.id}`)
    .signal('stripeEventReceived', { eventId: 'sk_test_sandbox', type: 'of somebody@example.com' })
  await client.workflow.getHandle(`test-clock/${scenario.clockId}`).terminate()
  const violations = violationsOf(await audit())
  for (const pattern of [
    /charge ch_\w+ was refunded/,
    /refund re_\w+ was made by nobody/,
    /workflow invoice\/\w+ \(.*\) holds a key of Stripe/,
    /workflow invoice\/\w+ \(.*\) holds an e-mail address/,
    /workflow test-clock\/\w+ \(.*\) is TERMINATED/,
  ])
    expect(violations).toContainEqual(expect.stringMatching(pattern))
})
