import { randomInt } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChaos } from './fleet/chaos.ts'
import type { ChaosReport } from './fleet/chaos.ts'
import { faultGroups } from './fleet/schedule.ts'
import { programOptions } from '../support/program-options.ts'

const help = `npm run chaos -- [options]

A fleet of subscriptions on test clocks lives through months of billing on real processes (API, workers, Temporal, PostgreSQL,
a sandbox for Stripe) while a schedule that follows from the seed kills them, cuts their connections, shifts their clocks, and
has Stripe fail and its webhooks go astray. At the end everything is healed and counted. Exit code 1: something is not as it
has to be.

  --seed <text>          the schedule and the fleet follow from it (a random one, printed)
  --subscriptions <n>    how many (1000)
  --months <n>           how long each lives (12)
  --minutes <n>          after so many minutes nothing more is broken, and no month begins (no end)
  --faults <n>           nothing more is broken after so many hits (no end)
  --only <group,…>       ${faultGroups.join(', ')}
  --workers <n>          worker processes, 1 or 2 (2)
  --household <n>        subscriptions on one test clock (20)
  --clocks <n>           test clocks that advance at the same time (4)
  --armed <n>            faults armed at Stripe at the same time, for requests and for webhooks each (8): the more
                         clocks advance at once, the more find something to hit
  --pauses <n>           so much longer between kills, cuts and shifts (1): for a busy machine, where what was killed
                         is away for long, and nothing is in flight that could be hit
  --json <file>          the figures as JSON
  --folder <folder>      where data and logs are (a new one below the system's temporary folder)
  --keep                 leaves data and logs there
  --help                 this text

Same seed, same fleet and same shots in the same order; what they meet depends on the machine, so the hits differ from run to
run. Only hits are counted: a kill or a cut with work in flight, a request or a webhook that was tampered with.`

const values = programOptions({
  seed: { type: 'string', default: String(randomInt(1_000_000)) },
  subscriptions: { type: 'string', default: '1000' },
  months: { type: 'string', default: '12' },
  minutes: { type: 'string', default: 'Infinity' },
  faults: { type: 'string', default: 'Infinity' },
  only: { type: 'string', default: faultGroups.join(',') },
  workers: { type: 'string', default: '2' },
  household: { type: 'string', default: '20' },
  clocks: { type: 'string', default: '4' },
  armed: { type: 'string', default: '8' },
  pauses: { type: 'string', default: '1' },
  json: { type: 'string' },
  folder: { type: 'string' },
  keep: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
})
/** All of them are in the JSON. */
const VIOLATIONS_SHOWN = 100
const say = (line: string): void => void process.stdout.write(`${line}\n`)

if (values.help) say(help)
else await main()

async function main(): Promise<void> {
  const groups = faultGroups.filter((group) => values.only.split(',').includes(group))
  const { subscriptions, months, minutes, faults, workers, household, clocks, armed, pauses } = values
  const numbers = { subscriptions, months, minutes, faults, workers, household, clocks, armed, pauses }
  const wrong = Object.entries(numbers).find(([, text]) => !(Number(text) >= 0))
  const unknown = values.only.split(',').find((name) => faultGroups.every((group) => group !== name))
  if (wrong !== undefined || unknown !== undefined) {
    const problem = wrong === undefined ? `--only ${unknown}` : `--${wrong[0]} ${wrong[1]}`
    process.stderr.write(`${problem} is not as it has to be; see --help.\n`)
    process.exitCode = 2
    return
  }
  const began = Date.now()
  const folder = values.folder ?? join(tmpdir(), `perennial-chaos-${began}`)
  const report = await runChaos({
    seed: values.seed,
    subscriptions: Number(subscriptions),
    months: Number(months),
    minutes: Number(minutes),
    faults: Number(faults),
    groups,
    workers: Number(workers),
    household: Number(household),
    concurrency: Number(clocks),
    armed: Number(armed),
    pauses: Number(pauses),
    folder,
    keep: values.keep,
    tell: (line) =>
      process.stderr.write(`${String(Math.round((Date.now() - began) / 1000)).padStart(5)} s  ${line}\n`),
  })
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`)
  print(report)
  if (values.keep) say(`data and logs: ${folder}`)
  if (report.violations.length > 0) process.exitCode = 1
}

function print(report: ChaosReport): void {
  for (const [kind, { shots, hits }] of Object.entries(report.byKind)) {
    const recovery = report.recoveryMs[kind]
    const away = recovery === undefined ? '' : `  away ${recovery.p50} ms, p99 ${recovery.p99} ms`
    say(`${kind.padEnd(28)} ${String(shots).padStart(6)} shots ${String(hits).padStart(6)} hits${away}`)
  }
  for (const { name, examined, violations } of report.checks)
    say(`${name}: ${examined} examined, ${violations} violations`)
  for (const violation of report.violations.slice(0, VIOLATIONS_SHOWN)) say(`VIOLATION ${violation}`)
  const { subscriptions, months, householdMonths, acknowledged, repeats, seconds } = report
  say(`${subscriptions} subscriptions × ${months} months in ${seconds} s`)
  say(`the households lived through ${householdMonths} months in all`)
  say(`${acknowledged} events acknowledged; clients repeated ${repeats} requests`)
  say(
    `seed ${report.seed}: ${report.shots} shots, ${report.hits} hits, ${report.violations.length} violations`,
  )
}
