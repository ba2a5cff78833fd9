import { writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { duplicates, ingest } from './ingest.ts'
import { rating } from './rating.ts'
import { measure } from './support/benchmark.ts'
import type { CaseResult } from './support/benchmark.ts'
import { openBench } from './support/environment.ts'
import { describeMachine } from './support/machine.ts'

const benchmarks = [ingest, duplicates, rating]

const help = `npm run bench -- [options]

Measures the product and, in the same run, a floor: the least that the same work costs on this machine. Figures of two runs
compare only by their ratios.

  --only <name,…>   ${benchmarks.map(({ name }) => name).join(', ')}
  --rounds <n>      counted rounds of every case (5); the sides take turns, medians are shown
  --events <n>      events of the subscription that is rated, at most (100000; up to 1000000)
  --json <file>     where the figures go as JSON (bench-results.json)
  --help            this text

DATABASE_URL names a PostgreSQL to use (a database perennial_bench is made and dropped there); without it one is started.
${benchmarks.map(({ name, about }) => `\n  ${name.padEnd(12)} ${about}`).join('')}`

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    events: { type: 'string', default: '100000' },
    json: { type: 'string', default: 'bench-results.json' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(help)
else await run()

async function run(): Promise<void> {
  const names = values.only?.split(',') ?? benchmarks.map(({ name }) => name)
  const unknown = names.find((name) => benchmarks.every((benchmark) => benchmark.name !== name))
  const rounds = Number(values.rounds)
  if (unknown !== undefined || !Number.isInteger(rounds) || rounds < 1) {
    console.error(
      unknown === undefined ? '--rounds has to be 1 or more' : `no benchmark is called ${unknown}`,
    )
    process.exitCode = 2
    return
  }
  const { bench, stop } = await openBench(Number(values.events), (line) => console.error(line))
  try {
    const machine = await describeMachine(bench.pool)
    const results: CaseResult[] = []
    for (const benchmark of benchmarks.filter(({ name }) => names.includes(name))) {
      for await (const one of benchmark.cases(bench)) {
        console.error(`${benchmark.name}: ${one.name} (load ${(loadavg()[0] ?? 0).toFixed(1)})`)
        results.push(await measure(benchmark.name, one, rounds))
      }
    }
    const report = { machine, loadAtEnd: loadavg()[0] ?? 0, results }
    await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`)
    const { cpu, cores, node, postgres, loadAtStart } = machine
    console.log(
      `${cpu}, ${cores} cores; Node ${node}, PostgreSQL ${postgres}; load ${loadAtStart.toFixed(1)}`,
    )
    console.log(table(results))
  } finally {
    await stop()
  }
}

function table(results: readonly CaseResult[]): string {
  const out = new Table({
    head: ['benchmark', 'case', 'side', 'median', 'min–max', 'ours ÷ it', 'p99 ms', 'CPU-ms/1000'],
    style: { head: [], border: [] },
  })
  for (const { benchmark, name, unit, sides } of results) {
    const ours = sides[0]?.median ?? Number.NaN
    for (const [index, side] of sides.entries()) {
      out.push([
        index === 0 ? benchmark : '',
        index === 0 ? name : '',
        side.name,
        `${figure(side.median)} ${unit}`,
        `${figure(side.min)}–${figure(side.max)}`,
        index === 0 ? '' : (ours / side.median).toFixed(2),
        side.p99 === undefined ? '' : figure(side.p99),
        side.cpuMs === undefined ? '' : figure(side.cpuMs),
      ])
    }
  }
  return out.toString()
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)
}
