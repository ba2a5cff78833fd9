import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import type { CaseResult } from '../support/benchmark.ts'
import { readReport } from '../support/results.ts'
import type { Report } from '../support/results.ts'
import { drawCurve } from './curve.ts'
import { renderFigures } from './figures.ts'

const pageUrl = new URL('../../docs/performance.md', import.meta.url)
const imagesUrl = new URL('../../docs/images/', import.meta.url)
const resultsUrl = new URL('../results/', import.meta.url)

/** A file of the documentation, as the results of the published runs make it. */
export interface DocumentFile {
  readonly url: URL
  readonly text: string
}

/** The cases of one benchmark, with the run that measured them. */
export interface Measured {
  readonly benchmark: string
  readonly report: Report
  readonly results: readonly CaseResult[]
}

/** Writes docs/performance.md and its curves from bench/results; what stands between generated parts is kept. */
export async function writeDocument(): Promise<void> {
  await mkdir(imagesUrl, { recursive: true })
  for (const { url, text } of await renderDocument()) await writeFile(url, text)
}

/** The page and its curves. Nothing is written. */
export async function renderDocument(): Promise<readonly DocumentFile[]> {
  const files = (await readdir(resultsUrl)).filter((name) => name.endsWith('.json')).toSorted()
  const reports = await Promise.all(
    files.map(async (name) => await readReport(new URL(name, resultsUrl).pathname)),
  )
  const measured = reports.flatMap(byBenchmark)
  const page = measured.reduce(
    (text, one) => withFigures(text, one.benchmark, renderFigures(one)),
    await readFile(pageUrl, 'utf8'),
  )
  const curves = measured
    .flatMap(drawCurve)
    .map(({ name, text }) => ({ url: new URL(name, imagesUrl), text }))
  return [{ url: pageUrl, text: page }, ...curves]
}

function byBenchmark(report: Report): readonly Measured[] {
  const names = [...new Set(report.results.map(({ benchmark }) => benchmark))]
  return names.map((benchmark) => ({
    benchmark,
    report,
    results: report.results.filter((result) => result.benchmark === benchmark),
  }))
}

/** Puts figures between the markers of their benchmark; one without markers gets a section before the last ones. */
export function withFigures(page: string, benchmark: string, figures: string): string {
  const [begin, end] = [`<!-- figures of ${benchmark} -->`, `<!-- end of ${benchmark} -->`]
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from >= 0 && to > from) return `${page.slice(0, from)}${begin}\n\n${figures}\n\n${page.slice(to)}`
  const section = `## ${benchmark}\n\n${begin}\n\n${figures}\n\n${end}\n\n`
  const last = page.indexOf('## What was tried')
  return last < 0 ? `${page}\n${section}` : `${page.slice(0, last)}${section}${page.slice(last)}`
}
