import type { CaseResult, SideResult, Target } from '../support/benchmark.ts'
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
  const all = [...new Set(results.flatMap(({ setup }) => setup ?? []))]
  // What another says too, and goes on from, is not said twice.
  const longest = all.filter((one) => !all.some((other) => other !== one && other.startsWith(one)))
  const setups = longest.map((setup) => ` ${setup}.`)
  return (
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB; Node ${machine.node.replace('v', '')}, ` +
    `PostgreSQL ${machine.postgres} (fsync ${machine.settings['fsync'] ?? 'unknown'}); ` +
    `${machine.startedAt.slice(0, 10)}, ${counted(first?.rounds ?? 0)}, ` +
    `load ${figure(Math.min(...loads))} to ${figure(Math.max(...loads))}.${setups.join('')}`
  )
}

/** What one side of a case has in a column; `isOurs` is true of the first one. */
type Cell = (result: CaseResult, side: SideResult, isOurs: boolean) => string

const columns: readonly (readonly [head: string, cell: Cell])[] = [
  ['case', ({ name }, _side, isOurs) => (isOurs ? name : '')],
  ['side', ({ sides }, { name }) => (sides.length === 1 ? '' : name)],
  ['median', ({ unit }, { median }) => `${figure(median, unit === 'events of history')} ${unit}`],
  ['p99 ms', (_result, { p99 }) => (p99 === undefined ? '' : figure(p99))],
  ['CPU-ms / 1,000', (_result, { cpuMs }) => (cpuMs === undefined ? '' : figure(cpuMs))],
]

const judged: typeof columns = [
  [
    'ours ÷ it',
    ({ sides: [ours] }, side, isOurs) => (isOurs || ours === undefined ? '' : figure(ratio(ours, side))),
  ],
  [
    'to reach',
    (result, _side, isOurs) =>
      isOurs ? (result.targets ?? []).map((target) => verdict(result, target)).join('; ') : '',
  ],
]

/** A column for each figure that cases want shown. */
function furtherColumns(results: readonly CaseResult[]): typeof columns {
  const names = [...new Set(results.flatMap(({ shown }) => shown ?? []))]
  return names.map((name) => [
    name,
    (_result, { more }) => (more?.[name] === undefined ? '' : figure(more[name], true)),
  ])
}

/** Columns in which there is nothing are left out. */
function tableOf(results: readonly CaseResult[]): string {
  const all = [...columns, ...furtherColumns(results), ...judged].map(([head, cell]) => [
    head,
    ...results.flatMap((result) => result.sides.map((side, index) => cell(result, side, index === 0))),
  ])
  const filled = all.filter(([, ...cells]) => cells.some((text) => text !== ''))
  const rows = (filled[0] ?? []).map((_unused, row) => filled.map((column) => column[row] ?? ''))
  const [head = [], ...body] = rows
  return [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

const counted = (rounds: number): string => `${rounds} ${rounds === 1 ? 'round' : 'rounds'}`

/** What is aimed at, and whether this run reached it. */
function verdict(result: CaseResult, target: Target): string {
  const { of, bound } = target
  const aim = `${named(target)}${bound === 'least' ? '≥' : '≤'} ${aimedAt(result, target)}`
  const got = targetFigure(result, target)
  if (got === undefined) return `${aim}: not measured`
  const shown = of === undefined ? '' : ` (${figure(got)})`
  return isReached(got, target) ? `${aim}: reached${shown}` : `${aim}: **not reached**${shown}`
}

const named = ({ figure: name }: Target): string => (name === 'median' ? '' : `${name} `)

function aimedAt({ unit }: CaseResult, { figure: name, of, value }: Target): string {
  if (of !== undefined) return `${Number(value.toPrecision(3))} × ${of}`
  const units: Readonly<Record<string, string>> = { median: ` ${unit}`, p99: ' ms' }
  return `${value.toLocaleString('en-US')}${units[name] ?? ''}`
}
