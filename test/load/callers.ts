import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Answer, Caller, Outgoing } from './http.ts'
import type { Kind, Tally } from './tally.ts'

/** What the callers have had accepted, for the count at the end. */
export interface Accepted {
  events: number
  tokens: number
  duplicates: number
}

export interface LoadOptions {
  readonly caller: Caller
  readonly tally: Tally
  /** So many call side by side, each as soon as it was answered. */
  readonly callers: number
  /** Subscriptions in real time: one for each caller of commands. */
  readonly subscriptionIds: readonly string[]
  readonly until: () => boolean
}

interface Work extends Outgoing {
  readonly kind: Kind
  readonly accepted?: () => void
}

const BATCH = 100
/** One post of so many is sent a second time, as by a producer that heard no answer. */
const REPEATED_EVERY = 20
const SUBJECTS = 50
/** The source of all of them: their events are told apart from those of the billing run. */
export const LOAD_SOURCE = 'load'
export const LOAD_TYPE = 'load.request'

/** Posts, batches, reads and commands, closed loop, until told to end. Whoever is refused waits as it is asked to. */
export async function runLoad(options: LoadOptions): Promise<Accepted> {
  const accepted: Accepted = { events: 0, tokens: 0, duplicates: 0 }
  const commands = options.subscriptionIds.map(async (id) => await loop(options, commandsOf(id)))
  const others = Array.from(
    { length: options.callers - commands.length },
    async (_, index) => await loop(options, mixOf(index, accepted, options.subscriptionIds)),
  )
  await Promise.all([...commands, ...others])
  return accepted
}

async function loop({ caller, tally, until }: LoadOptions, next: () => Work): Promise<void> {
  while (!until()) await untilTaken(caller, tally, next())
}

/** A refusal is waited out as it says, a 5xx (noted as a failure) repeated under its key; what was accepted is noted once. */
export async function untilTaken(caller: Caller, tally: Tally, work: Work): Promise<Answer | null> {
  for (;;) {
    try {
      const answer = await caller.send(work)
      tally.note(work.kind, answer)
      const isToRepeat = answer.status >= 500 && work.key !== undefined
      if (answer.status === 429 || isToRepeat) {
        await pause((answer.retryAfter ?? 1) * 1000)
        continue
      }
      if (answer.status < 300) work.accepted?.()
      return answer
    } catch (error) {
      tally.fail(work.kind, `the connection broke: ${error instanceof Error ? error.message : String(error)}`)
      return null
    }
  }
}

function mixOf(index: number, accepted: Accepted, subscriptionIds: readonly string[]): () => Work {
  let made = 0
  const events = (kind: 'single' | 'batch', count: number): Work => {
    const first = made
    made += count
    const tokens = Array.from({ length: count }, (_, n) => 1 + ((first + n) % 97))
    const batch = tokens.map((value, n) => loadEvent(`${index}-${first + n}`, value))
    return {
      kind,
      method: 'POST',
      path: '/api/v1/events',
      body: JSON.stringify(count === 1 ? batch[0] : batch),
      accepted: () => {
        accepted.events += count
        accepted.tokens += tokens.reduce((sum, value) => sum + value, 0)
      },
    }
  }
  let turn = index
  let last: Work | null = null
  return () => {
    turn += 1
    if (last !== null && turn % REPEATED_EVERY === 0) {
      const repeated = { ...last, accepted: () => void (accepted.duplicates += 1) }
      last = null
      return repeated
    }
    switch (turn % 4) {
      case 0:
        return { kind: 'read', method: 'GET', path: readPath(turn, subscriptionIds) }
      case 1:
        return (last = events('batch', BATCH))
      default:
        return (last = events('single', 1))
    }
  }
}

const loadEvent = (id: string, tokens: number) => ({
  specversion: '1.0',
  id,
  source: LOAD_SOURCE,
  type: LOAD_TYPE,
  subject: `load-${tokens % SUBJECTS}`,
  time: new Date().toISOString(),
  data: { tokens },
})

function readPath(turn: number, subscriptionIds: readonly string[]): string {
  switch ((turn / 4) % 4) {
    case 0:
      return '/api/v1/meters/load_tokens/query?windowSize=HOUR&groupBy=subject'
    case 1:
      return '/api/v1/billing/invoices?pageSize=20'
    case 2:
      return '/api/v1/events?limit=50'
    default:
      return `/api/v1/subscriptions/${subscriptionIds[turn % subscriptionIds.length] ?? ''}`
  }
}

/** Cancels at the end of the period and withdraws it, in turn: each is an update of the subscription’s workflow. */
function commandsOf(subscriptionId: string): () => Work {
  let isCanceled = false
  return () => {
    const [action, body] = isCanceled
      ? ['unschedule-cancelation', undefined]
      : ['cancel', JSON.stringify({ timing: 'next_billing_cycle' })]
    return {
      kind: 'command',
      key: randomUUID(),
      method: 'POST',
      path: `/api/v1/subscriptions/${subscriptionId}/${action}`,
      ...(body !== undefined && { body }),
      accepted: () => void (isCanceled = !isCanceled),
    }
  }
}
