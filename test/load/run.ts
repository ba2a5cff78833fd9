import { writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import Table from 'cli-table3'
import { addCustomer, addTokenPlan, startScenario } from '../support/scenario.ts'
import { auditEvents, auditInvoices, billingStart, createFleet, runBilling } from './billing-run.ts'
import type { Reach } from './billing-run.ts'
import { LOAD_SOURCE, LOAD_TYPE, runLoad } from './callers.ts'
import { createCaller } from './http.ts'
import { startInstallation } from './installation.ts'
import type { LoadedInstallation } from './installation.ts'
import { watchMemory } from './memory.ts'
import type { MemoryFigures } from './memory.ts'
import { createTally } from './tally.ts'
import type { KindFigures } from './tally.ts'
import { programOptions } from '../support/program-options.ts'

const help = `npm run load -- [options]

Holds the API at its limit while a billing run goes on: posts, batches, reads and commands from more callers than it takes on
at once, and customers on a test clock that is advanced month by month. Fails where an answer is a 5xx, a connection breaks, a
429 has no Retry-After, an accepted event is not there once, an invoice is not paid or not over what was used, or, from five
minutes on, where memory grows.

  --minutes <n>    how long (10)
  --limit <n>      API_MAX_REQUESTS of the API (32)
  --callers <n>    callers side by side (48)
  --billed <n>     customers of the billing run (20)
  --json <file>    where the figures go as JSON (none)
  --help           this text

DATABASE_URL names an empty database to use; without it PostgreSQL is started.`

const values = programOptions({
  minutes: { type: 'string', default: '10' },
  limit: { type: 'string', default: '32' },
  callers: { type: 'string', default: '48' },
  billed: { type: 'string', default: '20' },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
})

const COMMANDERS = 4
/** Of the first third's median: caches fill and the heap settles. */
const GROWTH = 1.3
const JUDGED_FROM_MINUTES = 5
const CONNECTIONS = 4

interface Report {
  readonly minutes: number
  readonly load: { readonly atStart: number; readonly atEnd: number }
  readonly requests: readonly KindFigures[]
  readonly events: { readonly accepted: number; readonly repeated: number }
  readonly months: number
  readonly invoices: number
  readonly memoryMib: readonly MemoryFigures[]
  readonly problems: readonly string[]
}

if (values.help) console.log(help)
else await run()

async function run(): Promise<void> {
  const [minutes, limit, callers, billed] = [values.minutes, values.limit, values.callers, values.billed].map(
    Number,
  )
  if (![minutes, limit, callers, billed].every((value) => value !== undefined && value > 0)) {
    console.error(help)
    process.exitCode = 2
    return
  }
  const installation = await startInstallation(limit ?? 0)
  try {
    const report = await measure(installation, {
      minutes: minutes ?? 0,
      callers: callers ?? 0,
      billed: billed ?? 0,
    })
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`)
    print(report)
    process.exitCode = report.problems.length === 0 ? 0 : 1
  } finally {
    await installation.stop()
  }
}

interface Size {
  readonly minutes: number
  readonly callers: number
  readonly billed: number
}

async function measure(
  installation: LoadedInstallation,
  { minutes, callers, billed }: Size,
): Promise<Report> {
  const { apiUrl, key, db } = installation
  const scenario = await startScenario(installation, { frozenTime: billingStart })
  await addTokenPlan(installation)
  await addLoadMeter(installation)
  const fleet = await createFleet(installation, scenario, billed)
  const subscriptionIds = await subscribeInRealTime(installation, {
    ...scenario,
    clockId: null,
    stripeClockId: null,
  })
  const tally = createTally()
  const loading = createCaller(apiUrl, key, callers)
  const billing = createCaller(apiUrl, key, CONNECTIONS)
  const atStart = loadavg()[0] ?? 0
  const memory = watchMemory(installation.pids)
  const endMs = performance.now() + minutes * 60_000
  const until = (): boolean => performance.now() >= endMs
  const [accepted, months] = await Promise.all([
    runLoad({ caller: loading, tally, callers, subscriptionIds, until }),
    runBilling({ fleet, caller: billing, tally, until }),
  ])
  const memoryMib = await memory.stop()
  for (const caller of [loading, billing]) caller.close()
  const grown = memoryMib
    .filter(({ firstThird, lastThird }) => minutes >= JUDGED_FROM_MINUTES && lastThird > GROWTH * firstThird)
    .map(({ process }) => `the memory of the ${process} grows`)
  const problems = [
    ...tally.failures(),
    ...(await auditEvents(db, LOAD_SOURCE, accepted)),
    ...(await auditInvoices(db, fleet, months)),
    ...grown,
  ]
  return {
    minutes,
    load: { atStart, atEnd: loadavg()[0] ?? 0 },
    requests: tally.figures(),
    events: { accepted: accepted.events, repeated: accepted.duplicates },
    months,
    invoices: billed * (months + 1),
    memoryMib,
    problems,
  }
}

async function addLoadMeter({ call }: Reach): Promise<void> {
  await call('POST', '/api/v1/meters', {
    slug: 'load_tokens',
    eventType: LOAD_TYPE,
    aggregation: 'SUM',
    valueProperty: '$.tokens',
  })
}

async function subscribeInRealTime(
  reach: Reach,
  scenario: Parameters<typeof addCustomer>[1],
): Promise<readonly string[]> {
  const ids: string[] = []
  for (let index = 0; index < COMMANDERS; index += 1) {
    const { id: customerId } = await addCustomer(reach, scenario, { key: `commander-${index}` })
    const plan = { key: 'tokens_monthly' }
    ids.push((await reach.call<{ id: string }>('POST', '/api/v1/subscriptions', { customerId, plan })).id)
  }
  return ids
}

function print(report: Report): void {
  const requests = new Table({
    head: ['requests', 'answered', 'refused (429)', 'p50 ms', 'p99 ms'],
    style: { head: [], border: [] },
  })
  for (const { kind, answered, refused, p50Ms, p99Ms } of report.requests)
    requests.push([kind, answered, refused, p50Ms.toFixed(1), p99Ms.toFixed(1)])
  const memory = new Table({
    head: ['memory, MiB', 'first third', 'last third', 'most'],
    style: { head: [], border: [] },
  })
  for (const { process, firstThird, lastThird, most } of report.memoryMib)
    memory.push([process, ...[firstThird, lastThird, most].map((mib) => mib.toFixed(0))])
  console.log(
    `${report.minutes} minutes; load ${report.load.atStart.toFixed(1)} to ${report.load.atEnd.toFixed(1)}`,
  )
  console.log(requests.toString())
  console.log(memory.toString())
  const { accepted, repeated } = report.events
  console.log(
    `${accepted} events accepted, ${repeated} posts repeated; ${report.months} months, ${report.invoices} invoices`,
  )
  for (const problem of report.problems) console.log(`problem: ${problem}`)
  console.log(report.problems.length === 0 ? 'all is well' : `${report.problems.length} problems`)
}
