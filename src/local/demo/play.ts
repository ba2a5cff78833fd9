import { setTimeout as delay } from 'node:timers/promises'
import { CliProblem } from '../../cli/problem.ts'
import type { Progress } from '../progress.ts'
import type { Api } from '../../cli/api-client.ts'
import { createCatalog } from './catalog.ts'
import { advanceClock } from './clock.ts'
import { createCustomers, replaceCard } from './customers.ts'
import type { DemoCustomer } from './customers.ts'
import { demoInvoices } from './invoices.ts'
import { stripeClient } from './stripe.ts'
import type { StripeCalls, StripeInvoice } from './stripe.ts'
import { ingestMonth } from './usage.ts'

export interface DemoOptions {
  /** The installation, as any caller reaches it. */
  readonly api: Api
  readonly stripeUrl: string
  readonly stripeApiKey: string
  readonly isSandbox: boolean
  readonly progress: Progress
  /** Appended to keys when an earlier demo was interrupted and its keys are taken. */
  readonly suffix: string
  readonly nowMs: number
}

/** What a later start needs to show the demo again. */
export interface DemoResult {
  readonly customers: readonly DemoCustomer[]
}

const months = 3
const settleTimeoutMs = 60_000
const hourMs = 3_600_000
const dayMs = 24 * hourMs

interface Cast {
  readonly api: Api
  readonly stripe: StripeCalls
  readonly options: DemoOptions
  readonly customers: readonly DemoCustomer[]
  readonly testClockId: string
}

/** Plays three months of billing on a test clock through the public API, and nothing else. */
export async function playDemo(options: DemoOptions): Promise<DemoResult> {
  const { api, progress, suffix } = options
  const stripe = stripeClient(options.stripeUrl, options.stripeApiKey)
  const startMs = monthStart(options.nowMs, -months)
  const catalog = await progress.step(
    'Demo: Stripe app, billing profiles, meter and plan',
    async () => await createCatalog(api, stripe, { stripeApiKey: options.stripeApiKey, suffix }),
  )
  const cast = await progress.step('Demo: four customers on a test clock', async () => {
    const frozenTime = new Date(startMs).toISOString()
    const clock = await api.post<{ id: string }>('/api/v1/test-clocks', { name: `Demo${suffix}`, frozenTime })
    const stripeClock = await stripe.post<{ id: string }>('/v1/test_helpers/test_clocks', {
      frozen_time: String(startMs / 1000),
      name: `Demo${suffix}`,
    })
    const clocks = { testClockId: clock.id, stripeTestClockId: stripeClock.id }
    const customers = await createCustomers(api, stripe, { ...catalog, ...clocks, suffix })
    return { api, stripe, options, customers, testClockId: clock.id } satisfies Cast
  })
  for (let month = 0; month < months; month += 1) {
    const fromMs = monthStart(startMs, month)
    const toMs = monthStart(startMs, month + 1)
    const label = new Date(fromMs).toLocaleString('en', { month: 'long', year: 'numeric', timeZone: 'UTC' })
    await progress.step(`Demo: ${label}`, async (detail) => {
      detail('usage')
      await ingestMonth(api, cast.customers, { eventType: catalog.eventType, fromMs, toMs })
      if (month === 0) await playDunning(cast, { startMs, appId: catalog.appId, detail })
      detail('billing')
      // A day later: every customer's own midnight has passed, whatever their time zone.
      await advanceClock(api, cast.testClockId, toMs + dayMs)
      detail('the e-mailed invoices are paid on the page')
      await payByPage(cast)
    })
  }
  return { customers: cast.customers }
}

interface Dunning {
  readonly startMs: number
  readonly appId: string
  readonly detail: (text: string) => void
}

/** The first charge fails; so does the first retry, after three days; a new card is there before the second, after seven. */
async function playDunning(cast: Cast, { startMs, appId, detail }: Dunning): Promise<void> {
  detail('the first invoices; one card fails')
  await advanceClock(cast.api, cast.testClockId, startMs + hourMs)
  await payByPage(cast)
  detail('the first retry fails too')
  await advanceClock(cast.api, cast.testClockId, startMs + 4 * dayMs)
  for (const customer of cast.customers) {
    if (customer.payment === 'failing_card') await replaceCard(cast.api, cast.stripe, { ...customer, appId })
  }
  detail('a new card; the second retry is paid')
  await advanceClock(cast.api, cast.testClockId, startMs + 8 * dayMs)
}

/** Opens each e-mailed invoice's page and pays there; the webhook wakes the waiting workflow, which books it. */
async function payByPage(cast: Cast): Promise<void> {
  const ids = cast.customers.filter((customer) => customer.payment === 'email').map((customer) => customer.id)
  for (const invoice of await demoInvoices(cast.api, ids)) {
    if (invoice.status === 'paid' || invoice.stripeInvoiceId === null) continue
    await payOne(cast, invoice.stripeInvoiceId)
    await becomesPaid(cast.api, invoice.id)
  }
}

async function payOne({ stripe, options }: Cast, stripeInvoiceId: string): Promise<void> {
  const atStripe = await stripe.get<StripeInvoice>(`/v1/invoices/${stripeInvoiceId}`)
  if (atStripe.status !== 'open') return
  if (!options.isSandbox || atStripe.hosted_invoice_url === null) {
    // Stripe's own page cannot be paid by a program.
    await stripe.post(`/v1/invoices/${stripeInvoiceId}/pay`, { paid_out_of_band: 'true' })
    return
  }
  const card = new URLSearchParams({ card: '4242424242424242' })
  const response = await fetch(atStripe.hosted_invoice_url, {
    method: 'POST',
    body: card,
    redirect: 'manual',
  })
  if (response.status < 400) return
  throw new CliProblem({
    what: `the invoice page answered ${response.status}`,
    why: (await response.text()).slice(0, 300),
    next: `open ${atStripe.hosted_invoice_url} in a browser and pay there`,
  })
}

async function becomesPaid(api: Api, invoiceId: string): Promise<void> {
  const deadline = Date.now() + settleTimeoutMs
  for (;;) {
    const { status } = await api.get<{ status: string }>(`/api/v1/billing/invoices/${invoiceId}`)
    if (status === 'paid') return
    if (Date.now() > deadline) {
      throw new CliProblem({
        what: `invoice ${invoiceId} was paid at Stripe and is ${status} here`,
        why: `no webhook settled it within ${settleTimeoutMs / 1000} s`,
        next: 'run perennial doctor: it checks the webhook endpoint',
      })
    }
    await delay(100)
  }
}

function monthStart(atMs: number, offset: number): number {
  const at = new Date(atMs)
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + offset, 1)
}
