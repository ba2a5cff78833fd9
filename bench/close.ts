import { setTimeout as delay } from 'node:timers/promises'
import { checkInvoices, invoicesDone } from './close/invoices.ts'
import { stripeCalls } from './close/stripe-calls.ts'
import { asleep, inTurn, stripeCustomers, subscribeMany } from './close/subscribers.ts'
import type { BilledPlan } from './close/subscribers.ts'
import { openWorld, worldSetup } from './close/world.ts'
import type { World } from './close/world.ts'
import { cpuMsOfTree } from './stack/cpu.ts'
import type { Service } from './stack/service.ts'
import { quantile } from './support/benchmark.ts'
import type { Benchmark, Case, Sample, Side, Target } from './support/benchmark.ts'
import type { Bench } from './support/environment.ts'

const FLOOR = 'same workflow, only the Stripe requests'
const SIZES = { tiny: [10, 20], small: [10, 100], full: [10, 100, 1000] } as const
/** What is due at one instant when an operator spreads it: 25 invoices a second are what a live account takes. */
const SPREAD_PER_SECOND = 25
const RATES: readonly Target[] = [25, 47].map((value) => ({ figure: 'median', bound: 'least', value }))
/** Beside what subscribing takes. */
const LEAD_MS = 5_000

/** How long one subscription took to fall asleep, with something to spare: what is due is due that much later. */
interface Pace {
  msEach: number
}

export const close: Benchmark = {
  name: 'close',
  about: 'Subscriptions due at one instant, until all their invoices are paid in the sandbox',
  cases: closeCases,
}

async function* closeCases(bench: Bench): AsyncGenerator<Case> {
  const { world, stop } = await openWorld(bench)
  try {
    const pace: Pace = { msEach: 200 }
    for (const size of SIZES[bench.size]) yield closing(world, { size, pace })
    yield* spreadCase(world, { size: SIZES[bench.size].at(-1) ?? 0, pace })
  } finally {
    await stop()
  }
}

/** Ours for a comparison: closes of so many, on a world of their own. */
export interface OurCloses {
  /** Until all invoices are paid at the sandbox. */
  readonly paid: Side
  /** Until all invoices are there, with discounts that leave nothing to collect: no request to Stripe, no webhook. */
  readonly discounted: Side
  /** The same, as drafts for an approval, each with a workflow that waits for it. */
  readonly drafted: Side
  readonly stop: () => Promise<void>
}

/** Starts a world for them. */
export async function openCloses(bench: Bench, size: number): Promise<OurCloses> {
  const { world, stop } = await openWorld(bench)
  const side = (plan: BilledPlan): Side => {
    const pace: Pace = { msEach: 200 }
    return { name: 'ours', run: async () => await ours(world, { size, pace, plan }) }
  }
  const sides = { paid: side('collected'), discounted: side('discounted'), drafted: side('drafted') }
  return { ...sides, stop }
}

interface Herd {
  readonly size: number
  readonly pace: Pace
  /** Left out: the one that is collected. */
  readonly plan?: BilledPlan
  /** Over how long what is due at one instant is spread; 0: not at all. */
  readonly spreadSeconds?: number
}

/** By a worker of its own, as the spread is a setting of the worker. */
async function* spreadCase(world: World, { size, pace }: Herd): AsyncGenerator<Case> {
  const { stack } = world
  const spreadSeconds = Math.ceil(size / SPREAD_PER_SECOND)
  for (const worker of stack.workers) await worker.stop()
  const worker = stack.worker('spreading', { env: { CLOSE_JITTER: String(spreadSeconds) } })
  await worker.start()
  try {
    const spreading: World = { ...world, stack: { ...stack, workers: [worker] } }
    // Only to warm it up: a few take longer each.
    await ours(spreading, { size: SIZES.full[0], pace: { ...pace } })
    yield closing(spreading, { size, pace, spreadSeconds })
  } finally {
    await worker.stop()
  }
}

function closing(world: World, herd: Herd): Case {
  const { size, spreadSeconds = 0 } = herd
  const sides: readonly Side[] = [
    { name: 'ours', run: async () => await ours(world, herd) },
    { name: FLOOR, run: async () => await floorRound(world, herd) },
    { name: 'only the Stripe requests', run: async () => await stripeOnly(world, size) },
  ]
  const spread = spreadSeconds === 0 ? '' : `, spread over ${spreadSeconds} s`
  return {
    name: `${size.toLocaleString('en-US')} subscriptions${spread}`,
    unit: 'invoices/s',
    sides,
    setup: worldSetup,
    targets: [
      // 1.3 times the floor's time.
      { figure: 'median', of: FLOOR, bound: 'least', value: 1 / 1.3 },
      // What is spread is billed as fast as it comes due.
      ...(spreadSeconds === 0 ? RATES : []),
    ],
    ...(spreadSeconds === 0 && { point: { curve: 'close', counted: 'subscriptions due at once', size } }),
    shown: [
      'CPU-ms each: Temporal',
      'CPU-ms each: PostgreSQL',
      'CPU-ms each: worker',
      'CPU-ms each: sandbox',
    ],
    // The sizes before have warmed all of it up.
    warmsUp: size === SIZES.full[0],
  }
}

/** New ones each time: what was billed before only sleeps. */
async function ours(world: World, { size, pace, plan = 'collected' }: Herd): Promise<Sample> {
  const { stack, scenario, say } = world
  const stripeCustomerIds = await stripeCustomers(stack.sandbox.url, size)
  for (let leadMs = LEAD_MS + size * pace.msEach; ; leadMs *= 2) {
    // To the whole second, as the anchor of a subscription is.
    const begunMs = Date.now()
    const dueMs = Math.ceil((begunMs + leadMs) / 1000) * 1000
    await subscribeMany(stack, scenario, {
      count: size,
      dueMs,
      stripeCustomerIds,
      events: 10,
      plan,
    })
    const missing = await asleep(stack, { dueMs, count: size, reserveMs: 2_000 })
    if (missing === 0) {
      // Half as long again: the machine is not always the same.
      pace.msEach = (1.5 * (Date.now() - begunMs)) / size
      const sample = await measured(world, {
        size,
        dueMs,
        done: async () => await invoicesDone(stack.db, { dueMs, plan }),
        workerMs: async () => await cpuMsOfTree(stack.workers[0]?.pid() ?? 0),
      })
      await checkInvoices(stack.db, { dueMs, plan, size })
      return sample
    }
    say(`close: ${missing} of ${size} were not asleep in ${leadMs} ms; again with more time`)
  }
}

async function floorRound(world: World, { size, spreadSeconds = 0 }: Herd): Promise<Sample> {
  const { floor, floorSandbox } = world
  const customers = await stripeCustomers(floorSandbox.url, size)
  const dueMs = Date.now() + 10_000 + size * 30
  await inTurn(size, async (index) => {
    const spreadMs = Math.floor(Math.random() * spreadSeconds * 1000)
    await floor.start({ dueMs: dueMs + spreadMs, customer: customers[index] ?? '' })
  })
  if (Date.now() > dueMs - 2_000) throw new Error('the workflows of the floor took too long to start')
  floor.takeDone()
  let paid = 0
  const done = async (): Promise<number> => (paid += floor.takeDone().length)
  return await measured(world, { size, dueMs, done, workerMs: ownCpuMs })
}

/** Only one of them has something to do. */
async function sandboxMs(sandboxes: readonly Service[]): Promise<number> {
  const spent = await Promise.all(sandboxes.map(async ({ pid }) => await cpuMsOfTree(pid())))
  return spent.reduce((sum, ms) => sum + ms, 0)
}

/** The floor's worker runs in this process; its children are the parts that are counted themselves. */
const ownCpuMs = async (): Promise<number> => {
  const { user, system } = process.cpuUsage()
  return await Promise.resolve((user + system) / 1000)
}

interface Round {
  readonly size: number
  readonly dueMs: number
  readonly done: () => Promise<number>
  /** CPU time of whoever runs the workflows. */
  readonly workerMs: () => Promise<number>
}

const POLL_MS = 50
/** Beyond that a hundredth of what has passed: who counts every invoice each time costs what is measured. */
const POLL_SHARE = 0.01

/** From the instant at which all are due to the last that is done. */
async function measured(
  { stack, floorSandbox }: World,
  { size, dueMs, done, workerMs }: Round,
): Promise<Sample> {
  const parts: readonly (readonly [string, () => Promise<number>])[] = [
    ['Temporal', async () => await cpuMsOfTree(stack.temporal.pid())],
    ['PostgreSQL', async () => await cpuMsOfTree(stack.postgresPid)],
    ['worker', workerMs],
    ['sandbox', async () => await sandboxMs([stack.sandbox, floorSandbox])],
    ['API', async () => await cpuMsOfTree(stack.apis[0]?.pid() ?? 0)],
  ]
  const cpu = async (): Promise<readonly (readonly [string, number])[]> =>
    await Promise.all(parts.map(async ([name, spentMs]) => [name, await spentMs()] as const))
  await delay(Math.max(0, dueMs - Date.now()))
  const before = await cpu()
  const latencies: number[] = []
  while (latencies.length < size) {
    const count = await done()
    const latency = Date.now() - dueMs
    while (latencies.length < count) latencies.push(latency)
    await delay(Math.max(POLL_MS, latency * POLL_SHARE))
  }
  const spent = (await cpu()).map(
    ([name, ms], index) => [name, (ms - (before[index]?.[1] ?? 0)) / size] as const,
  )
  return {
    value: size / ((latencies.at(-1) ?? 0) / 1000),
    p99: quantile(latencies, 0.99),
    cpuMs: spent.reduce((sum, [, ms]) => sum + ms, 0) * 1000,
    more: {
      'p50 ms': quantile(latencies, 0.5),
      ...Object.fromEntries(spent.map(([name, ms]) => [`CPU-ms each: ${name}`, ms])),
    },
  }
}

/** As many at a time as a worker has activities. */
async function stripeOnly(world: World, size: number): Promise<Sample> {
  const { url } = world.floorSandbox
  const customers = await stripeCustomers(url, size)
  const call = stripeCalls(url)
  const begun = performance.now()
  let next = 0
  const callers = Array.from({ length: 20 }, async () => {
    for (let one = customers[next++]; one !== undefined; one = customers[next++]) await call(one)
  })
  await Promise.all(callers)
  return { value: size / ((performance.now() - begun) / 1000) }
}
