import { readFile, writeFile } from 'node:fs/promises'
import type { CaseResult, SideResult, Target } from './benchmark.ts'
import type { Size } from './environment.ts'
import type { Machine } from './machine.ts'

/** A run as it is kept: what was measured, and on what. */
export interface Report {
  readonly machine: Machine
  readonly size: Size
  readonly results: readonly CaseResult[]
}

export async function writeReport(file: string, report: Report): Promise<void> {
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`)
}

/** Errors: where the file is not one that `writeReport` wrote. */
export async function readReport(file: string): Promise<Report> {
  const report = JSON.parse(await readFile(file, 'utf8')) as Report
  if (!Array.isArray(report.results)) throw new Error(`${file} holds no results of npm run bench`)
  return report
}

/** Ours by the floor, as measured side by side. */
export function ratio(ours: SideResult, side: SideResult, figure = 'median'): number {
  return (figureOf(ours, figure) ?? Number.NaN) / (figureOf(side, figure) ?? Number.NaN)
}

function figureOf(side: SideResult, name: string): number | undefined {
  return name === 'median' || name === 'p99' ? side[name] : side.more?.[name]
}

/** What a target looks at in this result; undefined where it was not measured. */
export function targetFigure({ sides }: CaseResult, target: Target): number | undefined {
  const [ours] = sides
  if (ours === undefined) return undefined
  if (target.of === undefined) return figureOf(ours, target.figure)
  const floor = sides.find(({ name }) => name === target.of)
  const value = floor === undefined ? Number.NaN : ratio(ours, floor, target.figure)
  return Number.isNaN(value) ? undefined : value
}

export function isReached(figure: number, { bound, value }: Target): boolean {
  return bound === 'least' ? figure >= value : figure <= value
}

/** What was counted as it is, what was measured with three digits that count; groups of thousands. */
export function figure(value: number, isCounted = false): string {
  if (!Number.isFinite(value)) return '–'
  if (isCounted && Number.isInteger(value)) return value.toLocaleString('en-US')
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)
}
