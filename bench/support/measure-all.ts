import { loadavg } from 'node:os'
import { measure } from './benchmark.ts'
import type { Benchmark, CaseResult } from './benchmark.ts'
import type { Bench, Size } from './environment.ts'
import { endOnSignal } from './early-end.ts'
import { openBench } from './environment.ts'
import { describeMachine } from './machine.ts'
import { writeReport } from './results.ts'
import { table } from './table.ts'

export interface MeasureOptions {
  readonly size: Size
  readonly rounds: number
  /** Where the figures go. */
  readonly json: string
}

/** Runs benchmarks one after the other, and prints their figures at the end. A signal ends it early. */
export async function measureAll(
  benchmarks: readonly Benchmark[],
  { size, rounds, json }: MeasureOptions,
): Promise<void> {
  void endOnSignal()
  const { bench, stop } = await openBench(size, (line) => console.error(line))
  try {
    const machine = await describeMachine(bench.pool)
    const results: CaseResult[] = []
    for await (const result of figures(bench, benchmarks, rounds)) {
      results.push(result)
      // After each: a run that is stopped has not measured for nothing.
      await writeReport(json, { machine, size, results })
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

async function* figures(
  bench: Bench,
  benchmarks: readonly Benchmark[],
  rounds: number,
): AsyncGenerator<CaseResult> {
  for (const { name, cases } of benchmarks) {
    for await (const one of cases(bench)) {
      console.error(`${name}: ${one.name} (load ${(loadavg()[0] ?? 0).toFixed(1)})`)
      yield await measure(name, one, rounds)
    }
  }
}
