import type { FaultRule } from '../../../src/sandbox/faults.ts'
import type { WebhookRule } from '../../../src/sandbox/webhook-rules.ts'
import type { Moment } from './program.ts'
import type { Random } from './random.ts'

// What is done to the installation. Each lane is drawn from a stream of its own: the same seed gives the same shots in the
// same order in each lane. When a shot falls, and what it meets, is up to the machine.

/** What can be left out or asked for on its own. */
export const faultGroups = ['kills', 'servers', 'connections', 'clocks', 'stripe', 'webhooks'] as const
export type FaultGroup = (typeof faultGroups)[number]

const programs = ['api', 'worker-1', 'worker-2'] as const
export type ProgramName = (typeof programs)[number]

export interface KillShot extends Moment {
  readonly kill: ProgramName | 'postgres' | 'temporal'
  /** Goes on before it has recovered, so that the next falls into the recovery. */
  readonly isImpatient: boolean
  readonly pauseMs: number
}

const killed: readonly KillShot['kill'][] = [
  'api',
  'api',
  'worker-1',
  'worker-1',
  'worker-2',
  'worker-2',
  'postgres',
  'temporal',
]

export function drawKill(random: Random): KillShot {
  return drawKillOf(killed, random)
}

/** What stands below our programs is back within seconds, so that a lane of its own kills it more often. */
export function drawServerKill(random: Random): KillShot {
  return drawKillOf(['postgres', 'postgres', 'temporal'], random)
}

function drawKillOf(targets: readonly KillShot['kill'][], random: Random): KillShot {
  return {
    kill: random.pick(targets),
    afterMs: random.int(0, 300),
    patienceMs: 15_000,
    isImpatient: random.chance(0.15),
    pauseMs: random.int(2_000, 25_000),
  }
}

export interface ConnectionShot extends Moment {
  readonly way: 'end backends' | 'cut' | 'stall'
  readonly program: ProgramName
  readonly link: 'postgres' | 'temporal' | 'stripe'
  readonly stallMs: number
  readonly pauseMs: number
}

export function drawConnection(random: Random): ConnectionShot {
  return {
    way: random.pick(['end backends', 'cut', 'cut', 'stall']),
    program: random.pick(programs),
    link: random.pick(['postgres', 'temporal', 'stripe']),
    stallMs: random.int(300, random.chance(0.2) ? 12_000 : 3_000),
    afterMs: random.int(0, 200),
    patienceMs: 10_000,
    pauseMs: random.int(1_000, 10_000),
  }
}

export interface ClockShot {
  readonly program: ProgramName
  /** How far it is off from then on. */
  readonly ms: number
  readonly pauseMs: number
}

export function drawClock(random: Random): ClockShot {
  // Signatures of webhooks hold for five minutes: most shifts stay within, some go far beyond.
  const limitMs = random.chance(0.2) ? 7_200_000 : 240_000
  return {
    program: random.pick(programs),
    ms: random.int(-limitMs, limitMs),
    pauseMs: random.int(2_000, 15_000),
  }
}

const paths = [
  undefined,
  undefined,
  '^/v1/invoices$',
  '^/v1/invoices/[^/]+$',
  '/(add_lines|lines)$|^/v1/invoiceitems',
  '/finalize$',
  '/pay$',
  '^/v1/(customers|payment_intents|payment_methods)',
] as const
const kinds = [
  'rate_limit',
  'lock_timeout',
  'conflict',
  'error_before',
  'error_after',
  'unavailable',
  'reset_before',
  'reset_after',
  'truncate_after',
  'latency',
  'latency_after',
] as const

/** Which of the requests or deliveries that it matches a rule takes: so many from the nth on, unless another rule does. */
export interface RuleWindow {
  readonly times: number
  readonly nth: number
}

export function drawStripe(random: Random): FaultRule & RuleWindow {
  const kind = random.pick(kinds)
  const path = random.pick(paths)
  return {
    kind,
    ...(path !== undefined && { path }),
    // The client repeats once by itself what was reset: every other time that is hit, too.
    times: kind === 'unavailable' ? random.int(2, 6) : random.int(1, 2),
    nth: random.int(1, 6),
    latencyMs: random.int(200, 6_000),
  }
}

const actions = [
  'drop',
  'delay',
  'duplicate',
  'duplicate_new_id',
  'reorder',
  'wrong_signature',
  'old_timestamp',
] as const

export function drawWebhook(random: Random): WebhookRule & RuleWindow {
  const action = random.pick(actions)
  const count = random.int(2, 4)
  const type = random.pick([undefined, 'invoice\\.paid', 'invoice\\.', 'payment_intent|charge'] as const)
  return {
    action,
    ...(type !== undefined && { type }),
    times: action === 'reorder' ? count : random.int(1, 3),
    nth: random.int(1, 10),
    delayMs: random.int(500, 20_000),
    count,
  }
}

/** A webhook that Stripe never sent. */
export interface ForgedShot {
  readonly type: 'invoice.paid' | 'invoice.voided' | 'customer.deleted'
  readonly signature: 'none' | 'of another secret' | 'of another body'
  readonly pauseMs: number
}

export function drawForged(random: Random): ForgedShot {
  return {
    type: random.pick(['invoice.paid', 'invoice.voided', 'customer.deleted']),
    signature: random.pick(['none', 'of another secret', 'of another body']),
    pauseMs: random.int(1_000, 8_000),
  }
}
