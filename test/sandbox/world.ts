import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Stripe } from 'stripe'
import { startSandbox } from '../../src/sandbox/server.ts'
import type { SandboxOptions } from '../../src/sandbox/server.ts'

/** A sandbox, and the unpatched client talking to it. */
export interface World {
  readonly url: string
  readonly stripe: Stripe
  readonly control: (method: string, path: string, body?: object) => Promise<Record<string, unknown>>
  readonly close: () => Promise<void>
}

export async function startWorld(options: Partial<SandboxOptions> = {}): Promise<World> {
  const sandbox = await startSandbox({ port: 0, ...options })
  return {
    url: sandbox.url,
    stripe: clientOf(sandbox.url),
    control: async (method, path, body) => {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
      const response = await fetch(`${sandbox.url}/_sandbox${path}`, init)
      return (await response.json()) as Record<string, unknown>
    },
    close: sandbox.close,
  }
}

export function clientOf(url: string, key = 'sk_test_sandbox'): Stripe {
  const { hostname, port } = new URL(url)
  return new Stripe(key, { host: hostname, port, protocol: 'http', telemetry: false, maxNetworkRetries: 0 })
}

/** For what hangs, on machines that are busy too. */
const LIMIT_MS = 60_000

/** Polls until the condition holds. */
export async function until<T>(read: () => T | Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + LIMIT_MS
  for (;;) {
    const value = await read()
    if (holds(value)) return value
    if (Date.now() > deadline) throw new Error(`never held; last: ${JSON.stringify(value)}`)
    await sleep(10)
  }
}

export interface Received {
  readonly id: string
  readonly type: string
  readonly object: string
  readonly verified: boolean
}

export interface Receiver {
  readonly url: string
  readonly received: Received[]
  /** The secret that events are verified with. */
  readonly trust: (secret: string) => void
  /** The statuses of the next replies; 200 once they are used up. */
  readonly answer: (...statuses: number[]) => void
  /** Nothing is answered until the release. */
  readonly hold: () => void
  readonly release: () => void
  readonly close: () => Promise<void>
}

/** A webhook receiver that verifies with the client's own code. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = []
  const answers: number[] = []
  const state = { secret: '', isHolding: false }
  const held: (() => void)[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const payload = Buffer.concat(chunks)
      const event = JSON.parse(payload.toString()) as {
        id: string
        type: string
        data: { object: { id?: string } }
      }
      received.push({
        id: event.id,
        type: event.type,
        object: event.data.object.id ?? '',
        verified: verify(payload),
      })
      response.statusCode = answers.shift() ?? 200
      if (state.isHolding) held.push(() => response.end())
      else response.end()
    })
    const verify = (payload: Buffer) => {
      try {
        Stripe.webhooks.constructEvent(payload, String(request.headers['stripe-signature']), state.secret)
        return true
      } catch {
        return false
      }
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    trust: (secret) => {
      state.secret = secret
    },
    answer: (...statuses) => void answers.push(...statuses),
    hold: () => {
      state.isHolding = true
    },
    release: () => {
      state.isHolding = false
      for (const end of held.splice(0)) end()
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A customer whose default is a test card. */
export async function customerWith(
  stripe: Stripe,
  card: string | null = 'pm_card_visa',
  more: Stripe.CustomerCreateParams = {},
) {
  const customer = await stripe.customers.create({ email: 'ada@example.com', name: 'Ada', ...more })
  if (card === null) return customer
  const method = await stripe.paymentMethods.attach(card, { customer: customer.id })
  return stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } })
}

/** A draft with one line. */
export async function draftOf(
  stripe: Stripe,
  customer: string,
  amount: number,
  more: Partial<Stripe.InvoiceCreateParams> = {},
) {
  const { id } = await stripe.invoices.create({ customer, currency: 'usd', auto_advance: false, ...more })
  return stripe.invoices.addLines(id, { lines: [{ amount, description: 'usage' }] })
}

/** An open invoice. */
export async function openInvoice(
  stripe: Stripe,
  customer: string,
  amount: number,
  more: Partial<Stripe.InvoiceCreateParams> = {},
) {
  const draft = await draftOf(stripe, customer, amount, more)
  return stripe.invoices.finalizeInvoice(draft.id)
}

/** The types of the events about one object, oldest first. */
export async function eventTypes(stripe: Stripe, objectId: string): Promise<string[]> {
  const events = await stripe.events.list({ limit: 100 }).autoPagingToArray({ limit: 1000 })
  return events
    .filter((event) => (event.data.object as { id?: string }).id === objectId)
    .map((event) => event.type)
    .reverse()
}

/** The refusal of a call. */
export async function refusalOf(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  try {
    await call
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) return error
    throw error
  }
  throw new Error('it was not refused')
}

/** Advances a test clock and waits for it. */
export async function advanceTo(stripe: Stripe, clock: string, frozenTime: number): Promise<void> {
  await stripe.testHelpers.testClocks.advance(clock, { frozen_time: frozenTime })
  await until(
    () => stripe.testHelpers.testClocks.retrieve(clock),
    ({ status }) => status === 'ready',
  )
}
