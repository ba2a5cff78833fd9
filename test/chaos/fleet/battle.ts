import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { steer } from './client.ts'
import { forge } from './forgery.ts'
import { keepArmed } from './armed.ts'
import type { Program } from './program.ts'
import type { Random } from './random.ts'
import {
  drawClock,
  drawConnection,
  drawForged,
  drawKill,
  drawServerKill,
  drawStripe,
  drawWebhook,
} from './schedule.ts'
import type { ClockShot, ConnectionShot, FaultGroup, KillShot } from './schedule.ts'
import type { Stack } from './stack.ts'
import type { Tally } from './tally.ts'

export interface Battle {
  /** Ends the lanes, and mends everything: Stripe answers, webhooks arrive, clocks are right, every process runs. */
  readonly heal: () => Promise<void>
}

interface Battlefield {
  readonly stack: Stack
  readonly tally: Tally
  readonly random: Random
  readonly groups: readonly FaultGroup[]
  /** Target of hits: nothing is injected past it. */
  readonly target: number
  /** Nothing is injected any more, either. */
  readonly isOver: () => boolean
  /** Faults armed at Stripe at the same time: so many for requests, and as many for webhooks. */
  readonly armed: number
  /** What is drawn of the pauses between kills, cuts and shifts is multiplied by it. */
  readonly pauses: number
  readonly appId: string
  /** Told of shots that could not be fired. */
  readonly onProblem: (problem: unknown) => void
  /** Told of forged webhooks that were taken. */
  readonly onBreach: (breach: string) => void
}

/** Begins to break things, a lane for each group of faults, each by its own stream of the seed. */
export function beginBattle(field: Battlefield): Battle {
  const { stack, tally, random, groups } = field
  const over = new AbortController()
  const { signal } = over
  // Each lane pauses on it.
  setMaxListeners(0, signal)
  const isOver = (): boolean => signal.aborted || tally.hits() >= field.target || field.isOver()
  const lane = async (group: FaultGroup, name: string, fire: (drawn: Random) => Promise<void>) => {
    const drawn = random.stream(name)
    while (groups.includes(group) && !isOver()) await fire(drawn).catch(field.onProblem)
  }
  const pause = async (ms: number): Promise<void> =>
    await sleep(ms, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  const recovering = new Set<Promise<void>>()
  const lanes = [
    lane('kills', 'kills', async (drawn) => {
      const shot = drawKill(drawn)
      await pause(shot.pauseMs * field.pauses)
      const recovered = kill(stack, tally, shot).catch(field.onProblem)
      recovering.add(recovered)
      void recovered.finally(() => recovering.delete(recovered))
      if (!shot.isImpatient || recovering.size > 2) await recovered
    }),
    lane('servers', 'servers', async (drawn) => {
      const shot = drawServerKill(drawn)
      await pause(shot.pauseMs * field.pauses)
      await kill(stack, tally, shot)
    }),
    lane('connections', 'connections', async (drawn) => {
      const shot = drawConnection(drawn)
      await pause(shot.pauseMs * field.pauses)
      await disconnect(stack, tally, shot)
    }),
    lane('clocks', 'clocks', async (drawn) => {
      const shot = drawClock(drawn)
      await pause(shot.pauseMs * field.pauses)
      await shift(stack, tally, shot)
    }),
    lane('webhooks', 'forged', async (drawn) => {
      const shot = drawForged(drawn)
      await pause(shot.pauseMs * field.pauses)
      await forge(stack, tally, { shot, appId: field.appId, onBreach: field.onBreach })
    }),
    ...(groups.includes('stripe')
      ? [
          keepArmed(stack.sandboxUrl, tally, {
            path: '/faults',
            list: 'faults',
            slots: field.armed,
            draw: drawStripe,
            nameOf: (rule) => `stripe: ${rule.kind}`,
            random: random.stream('stripe'),
            isOver,
            pause,
          }),
        ]
      : []),
    ...(groups.includes('webhooks')
      ? [
          keepArmed(stack.sandboxUrl, tally, {
            path: '/webhooks/rules',
            list: 'rules',
            slots: field.armed,
            draw: drawWebhook,
            nameOf: (rule) => `webhook: ${rule.action}`,
            // It would hold what it has collected so far.
            async onShort({ action }) {
              if (action === 'reorder') await steer(stack.sandboxUrl, 'POST', '/webhooks/release')
            },
            random: random.stream('webhooks'),
            isOver,
            pause,
          }),
        ]
      : []),
  ]
  return {
    async heal() {
      over.abort()
      await Promise.all(lanes)
      await Promise.all(recovering)
      await steer(stack.sandboxUrl, 'DELETE', '/faults')
      await steer(stack.sandboxUrl, 'DELETE', '/webhooks/rules')
      await steer(stack.sandboxUrl, 'POST', '/webhooks/release')
      for (const program of [stack.api, ...stack.workers]) {
        await program.ready()
        await program.shiftClock(0)
      }
    },
  }
}

function programOf({ api, workers }: Stack, name: string): Program {
  const found = [api, ...workers].find((program) => program.name === name)
  // A stack of one worker.
  return found ?? workers[0] ?? api
}

/** SIGKILL of one of our programs or of what they stand on, at a moment when work is under way. */
async function kill(stack: Stack, tally: Tally, shot: KillShot): Promise<void> {
  const kind = `kill: ${shot.kill.replace(/-\d$/, '')}`
  tally.shot(kind)
  if (shot.kill !== 'postgres' && shot.kill !== 'temporal') {
    const killed = await programOf(stack, shot.kill).kill(shot)
    if (killed === null) return
    tally.hit(kind)
    return tally.recovered(kind, await killed.recovered)
  }
  const busy = await Promise.any(stack.workers.map(async (worker) => await busyOrThrow(worker, shot))).catch(
    () => null,
  )
  tally.recovered(kind, await stack[shot.kill].killAndRestart())
  if (busy !== null) tally.hit(kind)
}

async function busyOrThrow(program: Program, shot: KillShot): Promise<object> {
  const busy = await program.whenBusy(shot)
  if (busy === null) throw new Error('nothing is in flight')
  return busy
}

async function disconnect(stack: Stack, tally: Tally, shot: ConnectionShot): Promise<void> {
  const kind = `connection: ${shot.way}${shot.way === 'end backends' ? '' : ` ${shot.link}`}`
  const program = programOf(stack, shot.program)
  const links = stack.links.get(program.name)
  if (links === undefined) return
  tally.shot(kind)
  const busy = await program.whenBusy(shot)
  if (shot.way === 'end backends') {
    // Idle ones are left alone: ending them breaks nothing.
    if ((await endBackends(stack.postgres.url())) > 0) tally.hit(kind)
    return
  }
  const link = links[shot.link]
  let waiting: number
  if (shot.way === 'cut') waiting = link.cut()
  else {
    const go = link.stall()
    await sleep(shot.stallMs)
    waiting = go()
  }
  // Temporal is always waited for, by the polls of the worker.
  if (shot.link === 'temporal' ? busy !== null : waiting > 0) tally.hit(kind)
}

async function endBackends(url: string): Promise<number> {
  const client = new Client({ connectionString: url, application_name: 'chaos' })
  // PostgreSQL may be killed just then. The query says so; unheard, it would end the harness.
  client.on('error', () => {})
  await client.connect()
  try {
    const { rowCount } = await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name LIKE 'perennial%' AND state <> 'idle'`)
    return rowCount ?? 0
  } finally {
    await client.end()
  }
}

async function shift(stack: Stack, tally: Tally, { program, ms }: ClockShot): Promise<void> {
  const kind = 'clock: shifted'
  tally.shot(kind)
  const inFlight = await programOf(stack, program).shiftClock(ms)
  if (inFlight !== null && Object.keys(inFlight).length > 0) tally.hit(kind)
}
