import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { renderDocument, withFigures } from '../../bench/document/document.ts'
import { drawCurve } from '../../bench/document/curve.ts'
import { renderFigures } from '../../bench/document/figures.ts'
import type { CaseResult } from '../../bench/support/benchmark.ts'
import type { Report } from '../../bench/support/results.ts'

test('performance.md and its curves are what the kept results make of them', async () => {
  for (const { url, text } of await renderDocument())
    expect(await readFile(url, 'utf8'), `${url.pathname}: npm run bench -- --document`).toBe(text)
})

const side = (name: string, median: number, p99: number) => ({ name, median, min: median, max: median, p99 })
const result = (size: number, ours: number): CaseResult => ({
  benchmark: 'reads',
  name: `list of ${size}`,
  unit: 'ms',
  rounds: 3,
  load: 1,
  sides: [side('ours', ours, ours * 2), side('bare SQL', 1, 3)],
  targets: [
    { figure: 'p99', of: 'bare SQL', bound: 'most', value: 2 },
    { figure: 'median', bound: 'most', value: 5 },
  ],
  point: { curve: 'list', counted: 'invoices', size },
})
const report: Report = {
  machine: {
    cpu: 'some',
    cores: 2,
    memoryGib: 4,
    node: 'v20.0.0',
    postgres: '18',
    settings: { fsync: 'on' },
    startedAt: '2026-01-01T00:00:00.000Z',
    loadAtStart: 0,
  },
  size: 'full',
  results: [result(1000, 2), result(100_000, 8)],
}
const measured = { benchmark: 'reads', report, results: report.results }

test('a target is judged by the figures of the run, and one that was missed says so', () => {
  const rows = renderFigures(measured).split('\n')
  expect(rows).toContain(
    '| list of 1000 | ours | 2.00 ms | 4.00 |  | p99 ≤ 2 × bare SQL: reached (1.33); ≤ 5 ms: reached |',
  )
  expect(rows).toContain(
    '| list of 100000 | ours | 8.00 ms | 16.0 |  | p99 ≤ 2 × bare SQL: **not reached** (5.33); ≤ 5 ms: **not reached** |',
  )
  expect(rows).toContain('|  | bare SQL | 1.00 ms | 3.00 | 8.00 |  |')
})

test('cases of several sizes become one curve with a line for each side', () => {
  const [curve, ...more] = drawCurve(measured)
  expect(more).toEqual([])
  expect(curve?.name).toBe('bench-reads-list.svg')
  expect(curve?.text.match(/<polyline/g)).toHaveLength(2)
  expect(curve?.text.match(/<circle/g)).toHaveLength(4)
})

test('figures replace those of before and leave the prose around them', () => {
  const page =
    '# P\n\n## reads\n\nProse.\n\n<!-- figures of reads -->\nold\n<!-- end of reads -->\n\n## What was tried\n'
  const once = withFigures(page, 'reads', 'new')
  expect(once).toContain(
    'Prose.\n\n<!-- figures of reads -->\n\nnew\n\n<!-- end of reads -->\n\n## What was tried',
  )
  expect(once).not.toContain('old')
  expect(withFigures(once, 'reads', 'new')).toBe(once)
  expect(withFigures(once, 'close', 'first')).toMatch(
    /## close\n\n<!-- figures of close -->[^]+## What was tried/,
  )
})
