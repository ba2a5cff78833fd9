import { Command } from 'commander'
import { advanceClock } from '../../local/demo/clock.ts'
import { jsonOption, parseInstant, withTarget } from '../options.ts'
import { printData, say, textFields, textTable } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { targetApi } from '../target.ts'
import type { TargetOptions } from '../target.ts'

interface TestClock {
  readonly id: string
  readonly name: string
  readonly frozenTime: string
  readonly targetTime?: string
  readonly status: string
  readonly statusReason?: string
}

type Options = TargetOptions & OutputOptions

export function clockCommand(): Command {
  const clock = new Command('clock').description('Test clocks: bill months in seconds')
  withTarget(clock.command('create <name>'))
    .description('Create a test clock that stands at an instant')
    .requiredOption('--at <instant>', 'where it stands, like 2026-02-01 (required)', parseInstant)
    .addOption(jsonOption())
    .action(async (name: string, options: Options & { at: Date }) => {
      const created = await targetApi(options).post<TestClock>('/api/v1/test-clocks', {
        name,
        frozenTime: options.at.toISOString(),
      })
      show(created, options)
      say(`Attach customers to it when you create them: "testClockId": "${created.id}"`)
    })
  withTarget(clock.command('advance <id>'))
    .description('Move a test clock and wait until everything due by then has happened')
    .requiredOption('--to <instant>', 'where to, like 2026-03-02 (required)', parseInstant)
    .addOption(jsonOption())
    .action(async (id: string, options: Options & { to: Date }) => {
      const api = targetApi(options)
      say(`Advancing to ${options.to.toISOString()}`)
      await advanceClock(api, id, options.to.getTime())
      show(await api.get<TestClock>(pathOf(id)), options)
    })
  withTarget(clock.command('get <id>'))
    .description('Show a test clock')
    .addOption(jsonOption())
    .action(async (id: string, options: Options) =>
      show(await targetApi(options).get<TestClock>(pathOf(id)), options),
    )
  withTarget(clock.command('list'))
    .description('List test clocks')
    .addOption(jsonOption())
    .action(async (options: Options) => {
      const page = await targetApi(options).get<{ items: readonly TestClock[] }>('/api/v1/test-clocks')
      const rows = page.items.map((one) => [one.id, one.name, one.frozenTime, one.status])
      printData(page, options, () => textTable(['id', 'name', 'time', 'status'], rows))
    })
  return clock
}

function pathOf(id: string): string {
  return `/api/v1/test-clocks/${encodeURIComponent(id)}`
}

function show(clock: TestClock, options: OutputOptions): void {
  printData(clock, options, () =>
    textFields([
      ['id', clock.id],
      ['name', clock.name],
      ['time', clock.frozenTime],
      ['going to', clock.targetTime],
      ['status', clock.status],
      ['reason', clock.statusReason],
    ]),
  )
}
