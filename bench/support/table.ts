import Table from 'cli-table3'
import type { CaseResult } from './benchmark.ts'
import { figure, isReached, ratio, targetFigure } from './results.ts'

/** The results for a terminal. */
export function table(results: readonly CaseResult[]): string {
  const out = new Table({
    head: [
      'benchmark',
      'case',
      'side',
      'median',
      'min–max',
      'ours ÷ it',
      'p99 ms',
      'CPU-ms/1000',
      'further',
      'targets',
    ],
    style: { head: [], border: [] },
  })
  for (const result of results) {
    const { benchmark, name, unit, sides } = result
    for (const [index, side] of sides.entries()) {
      const isOurs = index === 0
      out.push([
        isOurs ? benchmark : '',
        isOurs ? name : '',
        side.name,
        `${figure(side.median)} ${unit}`,
        `${figure(side.min)}–${figure(side.max)}`,
        isOurs || sides[0] === undefined ? '' : ratio(sides[0], side).toFixed(2),
        side.p99 === undefined ? '' : figure(side.p99),
        side.cpuMs === undefined ? '' : figure(side.cpuMs),
        (result.shown ?? [])
          .map((more) => `${more} ${figure(side.more?.[more] ?? Number.NaN, true)}`)
          .join('\n'),
        isOurs ? verdict(result) : '',
      ])
    }
  }
  return out.toString()
}

function verdict(result: CaseResult): string {
  const targets = result.targets ?? []
  const reached = targets.filter((target) => isReached(targetFigure(result, target) ?? Number.NaN, target))
  return targets.length === 0 ? '' : `${reached.length} of ${targets.length} reached`
}
