import { setTimeout as delay } from 'node:timers/promises'
import { Command, InvalidArgumentError } from 'commander'
import { jsonOption, parseInstant, withTarget } from '../options.ts'
import { printData, say } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { targetApi } from '../target.ts'
import type { TargetOptions } from '../target.ts'

interface Answer {
  readonly poked: number
  readonly startedBefore: string
  readonly next?: string
}

type PokeOptions = TargetOptions &
  OutputOptions & { readonly startedBefore?: Date; readonly perSecond: number }

export function workflowsCommand(): Command {
  const poke = withTarget(new Command('poke'))
    .description('Move every sleeping workflow to the code that runs now')
    .option('--started-before <time>', 'only runs that began before (now)', parseInstant)
    .option('--per-second <number>', 'how many in a second', parsePace, 20)
    .addOption(jsonOption())
    .action(pokeAll)
  return new Command('workflows')
    .description('Workflows in Temporal: move them to the code of now')
    .addCommand(poke)
}

function parsePace(text: string): number {
  const pace = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (pace < 1 || pace > 100) throw new InvalidArgumentError('it is a whole number from 1 to 100')
  return pace
}

/** A page a second. Safe to repeat: with the same instant it goes on with those that still sleep in an old run. */
async function pokeAll(options: PokeOptions): Promise<void> {
  const api = targetApi(options)
  let startedBefore = options.startedBefore?.toISOString()
  let poked = 0
  let after: string | undefined
  for (;;) {
    const second = delay(1000)
    const answer: Answer = await api.post<Answer>('/api/v1/workflows/poke', {
      limit: options.perSecond,
      ...(startedBefore !== undefined && { startedBefore }),
      ...(after !== undefined && { after }),
    })
    poked += answer.poked
    if (startedBefore === undefined) say(`runs that began before ${answer.startedBefore}`)
    startedBefore = answer.startedBefore
    after = answer.next
    if (after === undefined) break
    await second
  }
  printData({ poked, startedBefore }, options, () => `${poked} poked`)
}
