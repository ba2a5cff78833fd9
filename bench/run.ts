import { api } from './api.ts'
import { sleepers } from './asleep.ts'
import { budget } from './budget.ts'
import { close } from './close.ts'
import { commands } from './commands.ts'
import { writeDocument } from './document/document.ts'
import { duplicates, ingest } from './ingest.ts'
import { rating } from './rating.ts'
import type { Benchmark } from './support/benchmark.ts'
import { measureAll } from './support/measure-all.ts'
import { measureArgs, measureHelp, readMeasureOptions } from './support/options.ts'
import { programOptions } from '../test/support/program-options.ts'

const benchmarks: readonly Benchmark[] = [ingest, duplicates, rating, api, commands, close, sleepers, budget]

const help = `npm run bench -- [options]

Measures the product and, in the same run, a floor: the least that the same work costs on this machine. Figures of two runs
compare only by their ratios.

  --only <name,…>   ${benchmarks.map(({ name }) => name).join(', ')}
${measureHelp}
  --document        measures nothing: writes docs/performance.md from the files in bench/results

DATABASE_URL names a PostgreSQL to use (a database of our own is made and dropped there); without it one is started.
\`npm run bench:killbill\` compares with another billing system.
${benchmarks.map(({ name, about }) => `\n  ${name.padEnd(12)} ${about}`).join('')}`

const values = programOptions({
  ...measureArgs,
  only: { type: 'string' },
  document: { type: 'boolean', default: false },
})

if (values.help) console.log(help)
else if (values.document) await writeDocument()
else await run()

async function run(): Promise<void> {
  const names = values.only?.split(',') ?? benchmarks.map(({ name }) => name)
  const unknown = names.find((name) => benchmarks.every((benchmark) => benchmark.name !== name))
  const options = readMeasureOptions(values)
  if (unknown !== undefined) refuse(`no benchmark is called ${unknown}`)
  else if (typeof options === 'string') refuse(options)
  else
    await measureAll(
      benchmarks.filter(({ name }) => names.includes(name)),
      options,
    )
}

function refuse(problem: string): void {
  console.error(problem)
  process.exitCode = 2
}
