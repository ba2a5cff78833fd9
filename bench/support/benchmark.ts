import { loadavg } from 'node:os'
import type { Bench } from './environment.ts'

/** What one round of one side gave. */
export interface Sample {
  /** In the unit of the case. */
  readonly value: number
  /** Where the value is a median of many calls. */
  readonly p99?: number
  /** CPU spent by our process and PostgreSQL for each thousand units of work, in ms: says more than time on a busy machine. */
  readonly cpuMs?: number
  /** Further figures by name and unit. */
  readonly more?: Readonly<Record<string, number>>
}

export type Unit = 'events/s' | 'invoices/s' | 'requests/s' | 'ms' | 's' | 'bytes' | 'events of history'

/** What is aimed at: a bound on a figure of ours, or on its ratio to the same figure of a floor. */
export interface Target {
  /** `median`, `p99`, or the name of a further figure. */
  readonly figure: string
  /** The name of the floor; undefined: the figure itself. */
  readonly of?: string
  readonly bound: 'least' | 'most'
  readonly value: number
}

/** A case that is measured at several sizes is a point of a curve. */
export interface CurvePoint {
  readonly curve: string
  /** What is counted along the axis, e.g. invoices. */
  readonly counted: string
  readonly size: number
}

/** One row of the table: ours and its floors, measured in turn in the same run. */
export interface Case {
  readonly name: string
  readonly unit: Unit
  readonly sides: readonly Side[]
  /** What it ran on beside the machine and PostgreSQL: versions and settings, e.g. of Temporal. */
  readonly setup?: string
  readonly targets?: readonly Target[]
  readonly point?: CurvePoint
  /** Further figures that get a column in the table. */
  readonly shown?: readonly string[]
  /** Left out: yes. What is counted, or runs on what is warm already, needs no round that is thrown away. */
  readonly warmsUp?: boolean
  /** Left out: as many as are asked for. */
  readonly roundsMost?: number
}

/** The first side of a case is ours. */
export interface Side {
  readonly name: string
  readonly run: () => Promise<Sample>
}

export interface Benchmark {
  readonly name: string
  readonly about: string
  /** Prepares what it measures and yields its cases one by one; what it holds is released when it is done. */
  readonly cases: (bench: Bench) => AsyncGenerator<Case>
}

export interface SideResult {
  readonly name: string
  readonly median: number
  readonly min: number
  readonly max: number
  readonly p99?: number
  readonly cpuMs?: number
  readonly more?: Readonly<Record<string, number>>
}

export interface CaseResult {
  readonly benchmark: string
  readonly name: string
  readonly unit: Unit
  readonly rounds: number
  /** Of the machine over the last minute, when the case was done. */
  readonly load: number
  readonly sides: readonly SideResult[]
  readonly setup?: string
  readonly targets?: readonly Target[]
  readonly point?: CurvePoint
  readonly shown?: readonly string[]
}

/** Rounds in which the sides take turns, so that a drift of the machine meets them all; one to warm up is not counted. */
export async function measure(benchmark: string, one: Case, asked: number): Promise<CaseResult> {
  const rounds = Math.min(asked, one.roundsMost ?? asked)
  const samples = one.sides.map((): Sample[] => [])
  for (let round = one.warmsUp === false ? 1 : 0; round <= rounds; round += 1) {
    for (let turn = 0; turn < one.sides.length; turn += 1) {
      const index = (turn + round) % one.sides.length
      const sample = await one.sides[index]?.run()
      if (round > 0 && sample !== undefined) samples[index]?.push(sample)
    }
  }
  const sides = one.sides.map(({ name }, index) => summary(name, samples[index] ?? []))
  const { name, unit, setup, targets, point, shown } = one
  return {
    benchmark,
    name,
    unit,
    rounds,
    load: loadavg()[0] ?? 0,
    sides,
    ...(setup !== undefined && { setup }),
    ...(targets !== undefined && { targets }),
    ...(point !== undefined && { point }),
    ...(shown !== undefined && { shown }),
  }
}

function summary(name: string, samples: readonly Sample[]): SideResult {
  const values = samples.map(({ value }) => value)
  const p99s = samples.flatMap(({ p99 }) => (p99 === undefined ? [] : [p99]))
  const cpus = samples.flatMap(({ cpuMs }) => (cpuMs === undefined ? [] : [cpuMs]))
  return {
    name,
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    ...(p99s.length === 0 ? {} : { p99: median(p99s) }),
    ...(cpus.length === 0 ? {} : { cpuMs: median(cpus) }),
    ...more(samples),
  }
}

function more(samples: readonly Sample[]): Pick<SideResult, 'more'> {
  const names = new Set(samples.flatMap((sample) => Object.keys(sample.more ?? {})))
  const medians = [...names].map((name) => [
    name,
    median(samples.flatMap((sample) => sample.more?.[name] ?? [])),
  ])
  return names.size === 0 ? {} : { more: Object.fromEntries(medians) }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2
}

/** The value below which a share of the others lies; the nearest one there is. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
