import type { CaseResult } from '../support/benchmark.ts'
import { figure } from '../support/results.ts'
import type { Measured } from './document.ts'

const WIDTH = 560
const HEIGHT = 260
const edge = { left: 70, right: 150, top: 34, bottom: 40 } as const
/** Readable on white and on black. */
const INK = '#808080'
const colours = ['#d9480f', '#1c7ed6', '#2f9e44', '#ae3ec9']

interface Line {
  readonly name: string
  readonly points: readonly (readonly [size: number, value: number])[]
}

/** The curves that these results have points of. */
export function curveNames(results: readonly CaseResult[]): readonly string[] {
  const names = results.flatMap(({ point }) => (point === undefined ? [] : [point.curve]))
  // One point is no curve.
  return [...new Set(names)].filter((name) => names.indexOf(name) !== names.lastIndexOf(name))
}

export function curveFile(benchmark: string, curve: string): string {
  return `bench-${benchmark}-${curve}.svg`.replaceAll(/[^a-z0-9.-]+/gi, '-')
}

/** Each curve of a benchmark as an SVG: the sides of a case against its size, both axes logarithmic. */
export function drawCurve({ benchmark, results }: Measured): readonly { name: string; text: string }[] {
  return curveNames(results).map((curve) => ({
    name: curveFile(benchmark, curve),
    text: draw(
      curve,
      results.filter(({ point }) => point?.curve === curve),
    ),
  }))
}

function linesOf(results: readonly CaseResult[]): readonly Line[] {
  const names = [...new Set(results.flatMap(({ sides }) => sides.map(({ name }) => name)))]
  return names.map((name) => ({
    name,
    points: results.flatMap(({ point, sides }) => {
      const side = sides.find((one) => one.name === name)
      return point === undefined || side === undefined ? [] : [[point.size, side.median] as const]
    }),
  }))
}

function draw(curve: string, results: readonly CaseResult[]): string {
  const lines = linesOf(results)
  const points = lines.flatMap(({ points }) => points)
  const x = scale(
    points.map(([size]) => size),
    [edge.left, WIDTH - edge.right],
  )
  const y = scale(
    points.map(([, value]) => value),
    [HEIGHT - edge.bottom, edge.top],
  )
  const [first] = results
  const labels = lines.map((line, index) => ({
    line,
    colour: colours[index % colours.length] ?? INK,
    row: index,
  }))
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="${INK}">`,
    `<text x="${edge.left}" y="18">${escape(curve)}: ${first?.unit ?? ''} against ${escape(first?.point?.counted ?? '')}</text>`,
    ...x.ticks.map((at) => tick(x.place(at), HEIGHT - edge.bottom + 18, figure(at))),
    ...y.ticks.map(
      (at) =>
        `<path d="M${edge.left} ${y.place(at)}H${WIDTH - edge.right}" stroke="${INK}" stroke-opacity=".3"/>${tick(edge.left - 26, y.place(at) + 4, figure(at))}`,
    ),
    ...labels.map(({ line, colour, row }) => series({ line, colour, row, x, y })),
    '</svg>',
  ].join('\n')}\n`
}

interface Scale {
  readonly place: (value: number) => number
  readonly ticks: readonly number[]
}

/** Powers of ten around the values, evenly over the given pixels. */
function scale(values: readonly number[], [from, to]: readonly [number, number]): Scale {
  const low = Math.floor(Math.log10(Math.min(...values)) + 1e-9)
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9))
  const place = (value: number): number =>
    Math.round((from + ((Math.log10(value) - low) / (high - low)) * (to - from)) * 10) / 10
  return { place, ticks: Array.from({ length: high - low + 1 }, (_unused, index) => 10 ** (low + index)) }
}

interface Series {
  readonly line: Line
  readonly colour: string
  readonly row: number
  readonly x: Scale
  readonly y: Scale
}

function series({ line, colour, row, x, y }: Series): string {
  const places = line.points.map(([size, value]) => [x.place(size), y.place(value)] as const)
  const dots = places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`)
  return [
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${places.map((place) => place.join(',')).join(' ')}"/>`,
    ...dots,
    `<text x="${WIDTH - edge.right + 10}" y="${edge.top + 10 + row * 18}" fill="${colour}">${escape(line.name)}</text>`,
  ].join('')
}

function tick(x: number, y: number, text: string): string {
  return `<text x="${x}" y="${y}" text-anchor="middle">${text}</text>`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
