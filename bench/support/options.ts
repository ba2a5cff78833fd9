import { benchSizes } from './environment.ts'
import type { MeasureOptions } from './measure-all.ts'

/** The options of every program that measures, for `parseArgs`. */
export const measureArgs = {
  rounds: { type: 'string', default: '5' },
  size: { type: 'string', default: 'small' },
  json: { type: 'string', default: 'bench-results.json' },
  help: { type: 'boolean', default: false },
} as const

export const measureHelp = `  --rounds <n>      counted rounds of every case (5); the sides take turns, medians are shown
  --size <size>     how much is loaded: ${benchSizes.join(', ')} (small); full is what is published
  --json <file>     where the figures go as JSON, after every case (bench-results.json)
  --help            this text`

/** The options that were given, or what is wrong with them. */
export function readMeasureOptions(values: {
  readonly rounds: string
  readonly size: string
  readonly json: string
}): MeasureOptions | string {
  const size = benchSizes.find((one) => one === values.size)
  const rounds = Number(values.rounds)
  if (size === undefined) return `--size is one of ${benchSizes.join(', ')}`
  if (!Number.isInteger(rounds) || rounds < 1) return '--rounds has to be 1 or more'
  return { size, rounds, json: values.json }
}
