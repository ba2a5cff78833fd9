import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { workflowBundlePath } from '../support/temporal.ts'
import { runChaos } from './fleet/chaos.ts'
import { populate } from './fleet/population.ts'
import { createRandom } from './fleet/random.ts'
import { drawKill, drawStripe, faultGroups } from './fleet/schedule.ts'

const FAULTS = 40

test(
  'a fleet lives through its faults and is billed as if there had been none',
  { timeout: 600_000 },
  async () => {
    const lines: string[] = []
    const report = await runChaos({
      seed: 'small',
      subscriptions: 6,
      months: 2,
      minutes: Infinity,
      faults: FAULTS,
      // The fleet is small: with more kills it would have no time to work in.
      groups: faultGroups.filter((group) => group !== 'servers'),
      workers: 2,
      household: 3,
      concurrency: 2,
      armed: 8,
      pauses: 1,
      folder: await mkdtemp(join(tmpdir(), 'perennial-fleet-')),
      bundle: await workflowBundlePath(),
      keep: false,
      tell: (line) => {
        if (process.env['CHAOS_TELL']) process.stdout.write(`${line}\n`)
        lines.push(line)
      },
    })
    process.stdout.write(`${report.hits} faults hit work in flight, of ${report.shots}.\n`)
    expect(report.violations, lines.join('\n')).toEqual([])
    expect(report.hits).toBeGreaterThan(0)
  },
)

test('the same seed gives the same fleet and the same shots, whatever another lane does', () => {
  const draw = (seed: string, others: number) => {
    const random = createRandom(seed)
    const kills = random.stream('kills')
    const stripe = random.stream('stripe')
    for (let n = 0; n < others; n++) drawStripe(stripe)
    return [populate(random.stream('population'), 50, 20), Array.from({ length: 50 }, () => drawKill(kills))]
  }
  expect(draw('a', 0)).toEqual(draw('a', 7))
  expect(draw('a', 0)).not.toEqual(draw('b', 0))
})
