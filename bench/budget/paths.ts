import {
  approve,
  billBoundary,
  confirmAtTheBank,
  exhaustDunning,
  firstInvoice,
  passBoundary,
  payByPage,
  recoverByDunning,
  sleeping,
  subscribe,
  waitOutDraftPeriod,
} from '../../test/support/billing-paths.ts'
import type { SubscribeOptions, Walker } from '../../test/support/billing-paths.ts'
import { isAsleep, readHistory, sinceFirstTimer } from '../../test/support/history.ts'
import type { HistoryEvent } from '../../test/support/history.ts'
import { mainPhase, tokenUsage, unitPrice } from '../../test/support/plans.ts'
import { waitFor } from '../../test/support/scenario.ts'
import type { Target } from '../support/benchmark.ts'
import { calm } from './counted.ts'
import type { Walked } from './counted.ts'

/** A way through billing, on real time. */
export interface Path {
  readonly name: string
  readonly targets?: readonly Target[]
  /** `key` is its customer's. */
  readonly walk: (walker: Walker, key: string) => Promise<Walked>
}

const atMost = (figure: string, value: number): Target => ({ figure, bound: 'most', value })
/** The budget of the design: of a period on the happy path, of any period, of the whole life of an invoice that waits. */
const HAPPY = [
  atMost('workflow tasks', 1),
  atMost('activities', 0),
  atMost('local activities', 1),
  atMost('median', 25),
]
const PERIOD = [atMost('median', 25)]
const INVOICE = [atMost('median', 30)]
/** Of a command that needs rows only. */
const COMMAND = [atMost('workflow tasks', 1), atMost('activities', 0), atMost('local activities', 1)]

const USAGE_ONLY = 'usage_only'
const declining = 'pm_card_chargeCustomerFail'
const ignoringLateUsage = { lateUsage: { policy: 'ignore' } }

const billNow: Commanded = {
  options: { profile: { stripe: { synchronize: 'continuously' } } },
  path: 'invoice-now',
  body: {},
}

export const paths: readonly Path[] = [
  { name: 'period: charged automatically', targets: HAPPY, walk: period(billBoundary) },
  {
    name: 'period: nothing to bill',
    targets: HAPPY,
    walk: period(async (walker, key) => (await passBoundary(walker, { key, plan: USAGE_ONLY })).workflowId),
  },
  {
    name: 'period: two seconds for late usage',
    targets: PERIOD,
    walk: period(
      async (walker, key) =>
        await billBoundary(walker, key, { profile: { workflow: { collection: { interval: 'PT2S' } } } }),
    ),
  },
  {
    name: 'period: the card declines, its invoice is handed over',
    targets: PERIOD,
    walk: period(async (walker, key) => (await passBoundary(walker, { key, card: declining })).workflowId),
  },
  { name: 'invoice: paid at the third retry', targets: INVOICE, walk: life(recoverByDunning) },
  { name: 'invoice: three retries fail, dunning ends', targets: INVOICE, walk: life(exhaustDunning) },
  { name: 'invoice: one of these retries', walk: life(exhaustDunning, oneRetry) },
  { name: 'invoice: 3-D Secure, confirmed on Stripe’s page', targets: INVOICE, walk: life(confirmAtTheBank) },
  { name: 'invoice: e-mailed, paid on Stripe’s page', targets: INVOICE, walk: life(payByPage) },
  { name: 'invoice: approved', targets: INVOICE, walk: life(approve) },
  { name: 'invoice: a draft period', targets: INVOICE, walk: life(waitOutDraftPeriod) },
  { name: 'command: bill now, synchronized with a draft at Stripe', walk: command(billNow) },
  {
    name: 'command: cancel at the period’s end',
    targets: COMMAND,
    walk: command(cancel('next_billing_cycle')),
  },
  { name: 'command: cancel at once, to the end of the workflow', walk: command(cancel('immediate')) },
]

/** A plan that bills nothing where nothing was used. */
export async function addUsagePlan({ installation: { call } }: Walker): Promise<void> {
  const plan = await call<{ id: string }>('POST', '/api/v1/plans', {
    key: USAGE_ONLY,
    name: 'Usage only',
    currency: 'USD',
    billingCadence: 'P1M',
    phases: [mainPhase(tokenUsage(unitPrice('0.01')))],
  })
  await call('POST', `/api/v1/plans/${plan.id}/publish`)
}

/** From the boundary until it sleeps again; returns the workflow's id. */
function period(walk: (walker: Walker, key: string) => Promise<string>): Path['walk'] {
  return async (walker, key) => {
    const workflowId = await walk(walker, key)
    await sleeping(walker, workflowId)
    const events = sinceFirstTimer(await readHistory(walker.installation.client, workflowId))
    return { events, fromMs: events[0]?.atMs ?? 0 }
  }
}

/** All of the workflow of an invoice, and what is asked of Stripe since its subscription began; returns the invoice's id. */
function life(walk: (walker: Walker, key: string) => Promise<string>, partOf = whole): Path['walk'] {
  return async (walker, key) => {
    const invoiceId = await walk(walker, key)
    const { client, database } = walker.installation
    const { createdAt } = await database.db
      .selectFrom('invoices')
      .innerJoin('subscriptions', 'subscriptions.id', 'invoices.subscriptionId')
      .select('subscriptions.createdAt')
      .where('invoices.id', '=', invoiceId)
      .executeTakeFirstOrThrow()
    return partOf({
      events: await readHistory(client, `invoice/${invoiceId}`),
      fromMs: createdAt.getTime(),
    })
  }
}

function whole(walked: Walked): Walked {
  return walked
}

/** From one timer of a retry to the next. */
function oneRetry({ events }: Walked): Walked {
  const timers = events.flatMap(({ kind }, index) => (kind === 'timerFired' ? [index] : []))
  const part = events.slice(timers[0], timers[1])
  return { events: part, fromMs: part[0]?.atMs ?? 0, toMs: events[timers[1] ?? 0]?.atMs ?? 0 }
}

interface Commanded {
  readonly options?: Omit<SubscribeOptions, 'key'>
  readonly path: string
  readonly body: object
}

function cancel(timing: string): Commanded {
  return { options: { profile: ignoringLateUsage }, path: 'cancel', body: { timing } }
}

/** What a command adds to a subscription that sleeps, until it sleeps again or has ended. */
function command({ options, path, body }: Commanded): Path['walk'] {
  return async (walker, key) => {
    const { call, client } = walker.installation
    const { customerId, subscriptionId } = await subscribe(walker, { ...options, key })
    const workflowId = `subscription/${subscriptionId}`
    await firstInvoice(walker, customerId, 'paid')
    await sleeping(walker, workflowId)
    await calm(walker)
    const before = (await readHistory(client, workflowId)).length
    const fromMs = Date.now()
    await call('POST', `/api/v1/subscriptions/${subscriptionId}/${path}`, body)
    const after = await waitFor(
      async () => await readHistory(client, workflowId),
      (events) => events.length > before && (isAsleep(events) || hasEnded(events)),
    )
    return { events: after.slice(before), fromMs }
  }
}

const hasEnded = (events: readonly HistoryEvent[]): boolean =>
  events.at(-1)?.kind === 'workflowExecutionCompleted'
