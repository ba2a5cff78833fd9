import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { writeDocument } from './document/document.ts'
import { api } from './api.ts'
import { close } from './close.ts'
import { duplicates, ingest } from './ingest.ts'
import { rating } from './rating.ts'
import { measure } from './support/benchmark.ts'
import type { Benchmark, CaseResult } from './support/benchmark.ts'
import { benchSizes, openBench } from './support/environment.ts'
import type { Size } from './support/environment.ts'
import { describeMachine } from './support/machine.ts'
import { writeReport } from './support/results.ts'
import { table } from './support/table.ts'

const benchmarks: readonly Benchmark[] = [ingest, duplicates, rating, api, close]

const help = `npm run bench -- [options]

Measures the product and, in the same run, a floor: the least that the same work costs on this machine. Figures of two runs
compare only by their ratios.

  --only <name,…>   ${benchmarks.map(({ name }) => name).join(', ')}
  --rounds <n>      counted rounds of every case (5); the sides take turns, medians are shown
  --size <size>     how much is loaded: ${benchSizes.join(', ')} (small); full is what is published
  --json <file>     where the figures go as JSON, after every case (bench-results.json)
  --document        measures nothing: writes docs/performance.md from the files in bench/results
  --help            this text

DATABASE_URL names a PostgreSQL to use (a database of our own is made and dropped there); without it one is started.
${benchmarks.map(({ name, about }) => `\n  ${name.padEnd(12)} ${about}`).join('')}`

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    size: { type: 'string', default: 'small' },
    json: { type: 'string', default: 'bench-results.json' },
    document: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(help)
else if (values.document) await writeDocument()
else await run()

async function run(): Promise<void> {
  const chosen = values.only?.split(',') ?? benchmarks.map(({ name }) => name)
  const size = benchSizes.find((one) => one === values.size)
  const rounds = Number(values.rounds)
  const unknown = chosen.find((name) => benchmarks.every((benchmark) => benchmark.name !== name))
  if (unknown !== undefined) refuse(`no benchmark is called ${unknown}`)
  else if (size === undefined) refuse(`--size is one of ${benchSizes.join(', ')}`)
  else if (!Number.isInteger(rounds) || rounds < 1) refuse('--rounds has to be 1 or more')
  else await measureAll({ chosen, size, rounds })
}

function refuse(problem: string): void {
  console.error(problem)
  process.exitCode = 2
}

interface Choice {
  readonly chosen: readonly string[]
  readonly size: Size
  readonly rounds: number
}

async function measureAll({ chosen, size, rounds }: Choice): Promise<void> {
  const { bench, stop } = await openBench(size, (line) => console.error(line))
  try {
    const machine = await describeMachine(bench.pool)
    const results: CaseResult[] = []
    for (const benchmark of benchmarks.filter(({ name }) => chosen.includes(name))) {
      for await (const one of benchmark.cases(bench)) {
        console.error(`${benchmark.name}: ${one.name} (load ${(loadavg()[0] ?? 0).toFixed(1)})`)
        results.push(await measure(benchmark.name, one, rounds))
        // After each: a run that is stopped has not measured for nothing.
        await writeReport(values.json, { machine, size, results })
      }
    }
    const { cpu, cores, node, postgres, loadAtStart } = machine
    console.log(
      `${cpu}, ${cores} cores; Node ${node}, PostgreSQL ${postgres}; load ${loadAtStart.toFixed(1)}`,
    )
    console.log(table(results))
  } finally {
    await stop()
  }
}
