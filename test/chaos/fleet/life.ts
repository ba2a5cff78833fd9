import { inParallel } from './in-parallel.ts'
import type { Ledger } from './ledger.ts'
import { act } from './people.ts'
import type { Random } from './random.ts'
import type { Home, Place } from './settle-in.ts'
import type { UsageEvent } from './usage.ts'
import { usageOf } from './usage.ts'

export interface Life extends Place {
  readonly ledger: Ledger
  readonly months: number
  /** No further month begins. */
  readonly isOver: () => boolean
  /** A month of a household is over. */
  readonly onMonth: () => void
}

const DAY_MS = 86_400_000
const LOOK_EVERY_MS = 1_000
/** Of a household: all at once, a large fleet would be busy with being refused. */
const SUBSCRIBED_AT_ONCE = 3
/** A clock that has not moved for so long is stuck: what it waits for is on its row. */
const MOVE_LIMIT_MS = 600_000

/** Subscribes everybody, and lets month after month pass. Throws where something is stuck. */
export async function live(life: Life, random: Random, home: Home): Promise<void> {
  await inParallel(home.residents, SUBSCRIBED_AT_ONCE, async ({ customerId, plan }) => {
    const answer = await life.client.ask('POST', '/api/v1/subscriptions', { customerId, plan: { key: plan } })
    // An overlap: it had been made, and only the answer was lost.
    if (answer.status >= 400 && answer.code !== 'subscription_overlap')
      throw new Error(`subscribing was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  })
  for (let month = 0; month < life.months && !life.isOver(); month++) {
    const from = monthAfter(home.household.start, month)
    const to = monthAfter(home.household.start, month + 1)
    const usage = usageOf(random, home.residents, { from, to, name: `m${month}` })
    const half = Math.ceil(usage.timely.length / 2)
    for (const batch of usage.timely.slice(0, half)) await post(life, batch)
    if (random.chance(0.5)) await advance(life, home, new Date(to.getTime() - random.int(3, 15) * DAY_MS))
    for (const batch of usage.timely.slice(half)) await post(life, batch)
    await act(life, random, home)
    await advance(life, home, new Date(to.getTime() + random.int(1, 9) * DAY_MS))
    if (usage.late.length > 0) await post(life, usage.late)
    await act(life, random, home)
    life.onMonth()
  }
}

async function post({ client, ledger }: Life, events: readonly UsageEvent[]): Promise<void> {
  await client.call('POST', '/api/v1/events', events)
  ledger.note(events)
}

interface Clock {
  readonly status: string
  readonly statusReason?: string
  readonly frozenTime: string
}

/** Moves a test clock and waits until everything due has happened. Throws where it is stuck. */
export async function advance({ client }: Life, { clockId }: Home, to: Date): Promise<void> {
  const path = `/api/v1/test-clocks/${clockId}`
  const answer = await client.ask('POST', `${path}/advance`, { frozenTime: to.toISOString() })
  // It had been sent on its way, and only the answer was lost.
  const isOnItsWay = answer.code === 'clock_busy' || answer.code === 'clock_backwards'
  if (answer.status >= 400 && !isOnItsWay)
    throw new Error(`advancing was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  let stood = { at: '', since: performance.now() }
  for (;;) {
    const clock = await client.call<Clock>('GET', path)
    if (clock.status === 'ready' && Date.parse(clock.frozenTime) >= to.getTime()) return
    if (clock.frozenTime !== stood.at) stood = { at: clock.frozenTime, since: performance.now() }
    if (performance.now() - stood.since > MOVE_LIMIT_MS)
      throw new Error(
        `the clock ${clockId} is stuck at ${clock.frozenTime}: ${clock.statusReason ?? 'no reason'}`,
      )
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}

/** The same day n months on, or the last of a shorter month. */
function monthAfter(start: Date, months: number): Date {
  const first = new Date(start)
  first.setUTCDate(1)
  first.setUTCMonth(start.getUTCMonth() + months)
  const days = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate()
  first.setUTCDate(Math.min(start.getUTCDate(), days))
  return first
}
