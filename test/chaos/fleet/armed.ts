import { steer } from './client.ts'
import type { Random } from './random.ts'
import type { RuleWindow } from './schedule.ts'
import type { Tally } from './tally.ts'

interface Arming<Rule extends RuleWindow> {
  /** Of the sandbox's control plane. */
  readonly path: '/faults' | '/webhooks/rules'
  readonly list: 'faults' | 'rules'
  readonly slots: number
  readonly draw: (random: Random) => Rule
  readonly nameOf: (rule: Rule) => string
  /** Told of a rule that began to hit, and whose window passed while others took the rest. */
  readonly onShort?: (rule: Rule) => Promise<void>
  readonly random: Random
  readonly isOver: () => boolean
  readonly pause: (ms: number) => Promise<void>
}

interface Armed<Rule> {
  readonly rule: Rule
  readonly until: number
  counted: number
}

/** A rule as the sandbox shows it. */
interface There {
  readonly id: string
  /** Matching ones, whoever took them. */
  readonly seen: number
  readonly hits: number
}

const LOOK_EVERY_MS = 300
/** What nothing has run into by then makes room for the next. */
const WAITS_MS = 20_000

/** Keeps so many rules armed at the sandbox at once; each is replaced when it has taken what it was for. */
export async function keepArmed<Rule extends RuleWindow>(
  sandboxUrl: string,
  tally: Tally,
  arming: Arming<Rule>,
): Promise<void> {
  const armed = new Map<string, Armed<Rule>>()
  const look = async (): Promise<void> => {
    const { [arming.list]: there = [] } = await steer<Partial<Record<'faults' | 'rules', readonly There[]>>>(
      sandboxUrl,
      'GET',
      arming.path,
    )
    for (const { id, hits, seen } of there) {
      const one = armed.get(id)
      if (one === undefined) continue
      if (hits > one.counted) tally.hit(arming.nameOf(one.rule), hits - one.counted)
      one.counted = hits
      const { times, nth } = one.rule
      const isSpent = hits >= times || seen >= nth + times - 1
      // One that has begun to collect is not taken away: what it holds would stay.
      if (!isSpent && (hits > 0 || performance.now() < one.until)) continue
      armed.delete(id)
      await steer(sandboxUrl, 'DELETE', `${arming.path}/${id}`)
      if (hits > 0 && hits < times) await arming.onShort?.(one.rule)
    }
  }
  const fill = async (): Promise<void> => {
    while (armed.size < arming.slots) {
      const rule = arming.draw(arming.random)
      const { id } = await steer<{ id: string }>(sandboxUrl, 'POST', arming.path, rule)
      tally.shot(arming.nameOf(rule))
      armed.set(id, { rule, until: performance.now() + WAITS_MS, counted: 0 })
    }
  }
  while (!arming.isOver()) {
    await fill()
    await arming.pause(LOOK_EVERY_MS)
    await look()
  }
}
