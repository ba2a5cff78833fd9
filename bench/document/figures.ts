import type { CaseResult, Target } from '../support/benchmark.ts'
import { figure, isReached, ratio, targetFigure } from '../support/results.ts'
import { curveNames, curveFile } from './curve.ts'
import type { Measured } from './document.ts'

/** Machine, table and curves of one benchmark in Markdown. */
export function renderFigures(measured: Measured): string {
  const { report, results, benchmark } = measured
  const curves = curveNames(results).map((curve) => `![${curve}](images/${curveFile(benchmark, curve)})`)
  return (
    [machineOf(measured), tableOf(results), ...(curves.length === 0 ? [] : [curves.join('\n')])].join(
      '\n\n',
    ) + (report.size === 'full' ? '' : `\n\nThis was a run of the size \`${report.size}\`.`)
  )
}

function machineOf({ report: { machine }, results }: Measured): string {
  const loads = results.map(({ load }) => load)
  const [first] = results
  const setups = [...new Set(results.flatMap(({ setup }) => setup ?? []))].map((setup) => ` ${setup}.`)
  return (
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB; Node ${machine.node.replace('v', '')}, ` +
    `PostgreSQL ${machine.postgres} (fsync ${machine.settings['fsync'] ?? 'unknown'}); ` +
    `${machine.startedAt.slice(0, 10)}, ${counted(first?.rounds ?? 0)}, ` +
    `load ${figure(Math.min(...loads))} to ${figure(Math.max(...loads))}.${setups.join('')}`
  )
}

function tableOf(results: readonly CaseResult[]): string {
  const head = ['case', 'side', 'median', 'p99 ms', 'CPU-ms / 1,000', 'ours ÷ it', 'to reach']
  const rows = results.flatMap((result) =>
    result.sides.map((side, index) => [
      index === 0 ? result.name : '',
      side.name,
      `${figure(side.median)} ${result.unit}`,
      side.p99 === undefined ? '' : figure(side.p99),
      side.cpuMs === undefined ? '' : figure(side.cpuMs),
      index === 0 || result.sides[0] === undefined ? '' : figure(ratio(result.sides[0], side)),
      index === 0 ? (result.targets ?? []).map((target) => verdict(result, target)).join('; ') : '',
    ]),
  )
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

const counted = (rounds: number): string => `${rounds} ${rounds === 1 ? 'round' : 'rounds'}`

/** What is aimed at, and whether this run reached it. */
function verdict(result: CaseResult, target: Target): string {
  const { figure: name, of, bound, value } = target
  const aim = `${name === 'p99' ? 'p99 ' : ''}${bound === 'least' ? '≥' : '≤'} ${aimedAt(result, target)}`
  const got = targetFigure(result, target)
  if (got === undefined) return `${aim}: not measured`
  const shown = of === undefined ? '' : ` (${figure(got)})`
  return isReached(got, { figure: name, bound, value })
    ? `${aim}: reached${shown}`
    : `${aim}: **not reached**${shown}`
}

function aimedAt({ unit }: CaseResult, { figure: name, of, value }: Target): string {
  if (of !== undefined) return `${Number(value.toPrecision(3))} × ${of}`
  return `${value.toLocaleString('en-US')} ${name === 'p99' ? 'ms' : unit}`
}
