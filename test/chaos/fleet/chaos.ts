import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { auditFleet } from '../audit/audit-fleet.ts'
import type { Check } from '../audit/contract.ts'
import { announcedErrors } from './announced.ts'
import { beginBattle } from './battle.ts'
import { apiClient } from './client.ts'
import { openLedger } from './ledger.ts'
import { inParallel } from './in-parallel.ts'
import { advance, live } from './life.ts'
import type { Life } from './life.ts'
import { populate } from './population.ts'
import { noPromises } from './promises.ts'
import { createRandom } from './random.ts'
import { comeToRest } from './rest.ts'
import type { FaultGroup } from './schedule.ts'
import { moveIn, openOffice } from './settle-in.ts'
import type { Home } from './settle-in.ts'
import { startStack } from './stack.ts'
import { createTally } from './tally.ts'
import type { TallyReport } from './tally.ts'

export interface ChaosOptions {
  readonly seed: string
  readonly subscriptions: number
  readonly months: number
  /** So long after things began to break nothing more is broken, and no month begins. */
  readonly minutes: number
  /** Hits after which nothing more is injected. */
  readonly faults: number
  readonly groups: readonly FaultGroup[]
  readonly workers: number
  /** Subscribers who share a test clock. */
  readonly household: number
  /** Test clocks that advance at the same time. */
  readonly concurrency: number
  /** Faults armed at Stripe at the same time, for requests and for webhooks each. */
  readonly armed: number
  /** How much longer than drawn it is between kills, cuts and shifts. */
  readonly pauses: number
  /** Data and logs; removed at the end unless kept. */
  readonly folder: string
  readonly keep: boolean
  /** File with the bundled workflows; bundled anew where left out. */
  readonly bundle?: string
  readonly tell: (line: string) => void
}

export interface ChaosReport extends TallyReport {
  readonly seed: string
  readonly subscriptions: number
  readonly months: number
  /** What the households lived through, added up: fewer than asked for where the minutes were over. */
  readonly householdMonths: number
  readonly seconds: number
  /** Usage events that were acknowledged, each acknowledgement counted. */
  readonly acknowledged: number
  /** Requests that the fleet's clients had to send again. */
  readonly repeats: number
  readonly checks: readonly {
    readonly name: string
    readonly examined: number
    readonly violations: number
  }[]
  /** Of the checks, and what was seen before them. */
  readonly violations: readonly string[]
}

const TELL_EVERY_MS = 10_000
const REST_LIMIT_MS = 900_000
const CATCH_UP_MS = 20 * 86_400_000
const API_KEY = 'sk_test_chaos4f1d9e7b2a'

/** Lets a fleet live through its months while things break, heals everything, and counts what came of it. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { folder, tell } = options
  const began = performance.now()
  const violations: string[] = []
  const tally = createTally()
  const random = createRandom(options.seed)
  await mkdir(folder, { recursive: true })
  tell('PostgreSQL, Temporal, the sandbox, the API and the workers are started')
  const stack = await startStack({
    folder,
    workers: options.workers,
    ...(options.bundle !== undefined && { bundle: options.bundle }),
    onEnd: (name, how, wasReady) => {
      tell(`${name} ended by itself: ${how}`)
      if (wasReady) violations.push(`${name} ended by itself: ${how}`)
    },
  })
  try {
    tell('customers move in')
    const client = apiClient(stack.apiUrl)
    const promises = noPromises()
    const place = { client, sandboxUrl: stack.sandboxUrl, promises }
    const office = await openOffice(place, API_KEY)
    const ledger = openLedger(join(folder, 'accepted.ndjson'))
    const households = populate(random.stream('population'), options.subscriptions, options.household)
    const homes = await inParallel(households, 6, async (one) => await moveIn(place, office, one))
    tell(`${options.subscriptions} customers on ${homes.length} test clocks are there; things begin to break`)
    let months = 0
    const until = performance.now() + options.minutes * 60_000
    const isOver = (): boolean => performance.now() > until
    const life: Life = {
      ...place,
      ledger,
      months: options.months,
      isOver,
      onMonth: () => (months += 1),
    }
    const battle = beginBattle({
      stack,
      tally,
      random: random.stream('battle'),
      groups: options.groups,
      target: options.faults,
      isOver,
      armed: options.armed,
      pauses: options.pauses,
      appId: office.appId,
      onProblem: (problem) => tell(`a shot was not fired: ${String(problem)}`),
      onBreach: (breach) => violations.push(breach),
    })
    const telling = setInterval(
      () => tell(`${months} of ${homes.length * options.months} months of test clocks, ${tally.hits()} hits`),
      TELL_EVERY_MS,
    )
    await inParallel(homes, options.concurrency, async (home) => {
      const drawn = random.stream(`life ${home.household.index}`)
      await live(life, drawn, home).catch((error: unknown) => violations.push(`life: ${String(error)}`))
    })
    clearInterval(telling)
    tell('the time is over; everything is healed')
    await battle.heal()
    await inParallel(homes, options.concurrency, async (home) => {
      await catchUp(life, home).catch((error: unknown) => violations.push(`catching up: ${String(error)}`))
    })
    const restless = await comeToRest(stack, client, REST_LIMIT_MS)
    violations.push(...restless.map((what) => `not at rest: ${what}`))
    tell('at rest; everything is counted')
    const { checks } = await auditFleet({
      databaseUrl: stack.postgres.url(),
      sandboxUrl: stack.sandboxUrl,
      temporalAddress: stack.temporal.url(),
      namespace: 'default',
      logFolder: stack.logFolder,
      acceptedEventsFile: ledger.file,
      promised: {
        subscribers: households.flatMap(({ members }) => members.map(({ key }) => key)),
        voided: [...promises.voided],
        canceled: [...promises.canceled],
      },
      secrets: [API_KEY, stack.masterKey],
      announced: { errors: announcedErrors },
    })
    violations.push(...checks.flatMap(described))
    return {
      seed: options.seed,
      subscriptions: options.subscriptions,
      months: options.months,
      householdMonths: months,
      seconds: Math.round((performance.now() - began) / 1000),
      acknowledged: ledger.count(),
      repeats: client.repeats(),
      ...tally.report(),
      checks: checks.map((check) => ({ ...check, violations: check.violations.length })),
      violations,
    }
  } finally {
    await stack.stop()
    if (!options.keep) await rm(folder, { recursive: true, force: true })
  }
}

function described({ name, examined, violations }: Check): readonly string[] {
  // What looked at nothing has proved nothing.
  const empty = examined === 0 ? [`${name}: nothing was examined`] : []
  return [...empty, ...violations.map((violation) => `${name}: ${violation}`)]
}

/** Whatever was put off while things were broken is done in the weeks after. */
async function catchUp(life: Life, home: Home): Promise<void> {
  const { frozenTime } = await life.client.call<{ frozenTime: string }>(
    'GET',
    `/api/v1/test-clocks/${home.clockId}`,
  )
  await advance(life, home, new Date(Date.parse(frozenTime) + CATCH_UP_MS))
}
