import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ruleCount = 33
/** Plan changes, cadence changes and pause are not built yet; docs/billing-rules.md says so too. */
const notBuiltYet: ReadonlySet<number> = new Set([25, 26, 27])
const testFolder = fileURLToPath(new URL('../test', import.meta.url))

/** Numbers that a name such as `rule 12: …` or `rules 8 and 29: …` carries, at the start of a test's name. */
export function rulesNamedIn(source: string): readonly number[] {
  const names = source.matchAll(/['"`]rules? (\d+(?:(?:, | and )\d+)*):/g)
  return [...names].flatMap(([, list = '']) => (list.match(/\d+/g) ?? []).map(Number))
}

/** Billing rules that no test names; an error when there are no tests to look at. */
async function rulesWithoutTest(folder: string = testFolder): Promise<readonly number[]> {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.test.ts'))
  if (files.length === 0) throw new Error(`There are no tests in ${folder}`)
  const sources = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
  const named = new Set(sources.flatMap(rulesNamedIn))
  return Array.from({ length: ruleCount }, (_, i) => i + 1).filter((rule) => !named.has(rule))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const untested = await rulesWithoutTest()
  const missing = untested.filter((rule) => !notBuiltYet.has(rule))
  console.log(`Billing rules without a test: ${untested.join(', ') || 'none'}`)
  if (missing.length > 0) console.log(`Of these, built: ${missing.join(', ')}`)
  process.exitCode = missing.length === 0 ? 0 : 1
}
