import { Command } from 'commander'
import type { Database } from '../../db/connection.ts'
import { findCustomer } from '../../db/stores/customers.ts'
import { findMeter } from '../../db/stores/meters.ts'
import { withDatabase } from '../local-database.ts'
import { dataDirOption, jsonOption, parseInstant } from '../options.ts'
import { printData, textTable } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { CliProblem } from '../problem.ts'
import { rebuildRollups, verifyRollups } from '../recount-usage.ts'
import type { RecountOptions, RecountReport } from '../recount-usage.ts'
import { redrawnLine } from '../redrawn-line.ts'

interface Options extends OutputOptions {
  readonly meter?: string
  readonly customer?: string
  readonly from?: Date
  readonly to?: Date
  readonly dataDir: string
}

export function usageCommand(): Command {
  const usage = new Command('usage').description(
    'Verify and rebuild the rollups of usage from the events that they are made of',
  )
  bounded(usage.command('verify'))
    .description('Recount rollups from the events, and name what differs; changes nothing')
    .action(async (options: Options) => {
      const report = await recounted(options, verifyRollups)
      printData(report, options, () => describe(report, 'differing'))
      if (report.differing > 0) throw differs(report.differing)
    })
  bounded(usage.command('rebuild'))
    .description('Recount rollups, and write those that differ anew; safe to stop and to repeat')
    .action(async (options: Options) => {
      const report = await recounted(options, rebuildRollups)
      printData(report, options, () => describe(report, 'made anew'))
    })
  return usage
}

function bounded(command: Command): Command {
  return command
    .option('--meter <slugOrId>', 'only of this meter')
    .option('--customer <idOrKey>', 'only of this customer’s subjects')
    .option('--from <time>', 'only from the UTC day of this instant on', parseInstant)
    .option('--to <time>', 'only before the end of the UTC day that this instant ends in', parseInstant)
    .addOption(dataDirOption())
    .addOption(jsonOption())
}

type Work = (db: Database, options: RecountOptions) => Promise<RecountReport>

async function recounted(options: Options, work: Work): Promise<RecountReport> {
  const line = redrawnLine(process.stderr)
  const onProgress: RecountOptions['onProgress'] = ({ meters, keeps, events, differing }) =>
    line.draw(`${meters.join(', ')} (${keeps}): ${events} events, ${differing} rollups differ`)
  return await withDatabase(options.dataDir, async (db) => {
    const bounds = await boundsOf(db, options)
    return await work(db, { ...bounds, onProgress }).finally(line.end)
  })
}

const DAY_MS = 86_400_000

async function boundsOf(db: Database, options: Options): Promise<RecountOptions> {
  const { meter, customer, from, to } = options
  return {
    meterId: meter === undefined ? null : found('meter', meter, await findMeter(db, meter)).id,
    subjects:
      customer === undefined
        ? null
        : found('customer', customer, await findCustomer(db, customer)).subjectKeys,
    from: from === undefined ? null : new Date(Math.floor(from.getTime() / DAY_MS) * DAY_MS),
    to: to === undefined ? null : new Date(Math.ceil(to.getTime() / DAY_MS) * DAY_MS),
  }
}

function found<T>(what: string, name: string, one: T | null): T {
  if (one !== null) return one
  throw new CliProblem({
    what: `There is no ${what} ${name}`,
    why: 'the database has none with this id or key',
    next: `name one that GET /api/v1/${what}s lists`,
  })
}

function differs(count: number): CliProblem {
  return new CliProblem({
    what: `${count} rollups are not what their events add up to`,
    why: 'events or rollups were changed by hand, or restored into a cluster with other transaction ids',
    next: 'run perennial usage rebuild with the same options, then verify again',
  })
}

function describe({ series, differences }: RecountReport, outcome: string): string {
  if (series.length === 0) return 'nothing is rolled up: all is read from the events'
  const rows = series.map((one) => [
    one.meters.join(', '),
    one.keeps,
    one.groupBy.join(', '),
    String(one.events),
    String(one.rollups),
    one.isGone ? 'gone' : String(one.differing),
    one.behind,
  ])
  const tables = [textTable(['meters', 'keeps', 'groups', 'events', 'rollups', outcome, 'behind'], rows)]
  if (differences.length > 0) tables.push(textTable(differenceHead, differences.map(differenceRow)))
  return tables.join('\n\n')
}

const differenceHead = ['meters', 'subject', 'bucket', 'minutes', 'groups', 'kept', 'recounted']

function differenceRow(one: RecountReport['differences'][number]): readonly string[] {
  return [
    one.meters.join(', '),
    one.subject,
    one.bucket,
    String(one.minutes),
    one.groups.map((value) => value ?? '–').join(', '),
    values(one.kept),
    values(one.recounted),
  ]
}

function values(of: Readonly<Record<string, string>> | null): string {
  if (of === null) return 'none'
  return Object.entries(of)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}
