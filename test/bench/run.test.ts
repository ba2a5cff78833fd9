import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { readReport } from '../../bench/support/results.ts'
import { testService } from '../support/services.ts'

const script = fileURLToPath(new URL('../../bench/run.ts', import.meta.url))

// Three processes start: seconds on a quiet machine, and CI is not always one.
test('a benchmark runs to its end and leaves its figures', { timeout: 180_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-bench-test-'))
  const json = join(folder, 'results.json')
  const args = ['--import', 'tsx', script, '--only', 'api', '--rounds', '1', '--size', 'tiny', '--json', json]
  try {
    const env = { ...process.env, DATABASE_URL: await testService('postgres') }
    const { stdout } = await promisify(execFile)(process.execPath, args, { env })
    expect(stdout).toContain('Fastify and bare SQL')
    const { results } = await readReport(json)
    const names = results.map(({ name }) => name)
    expect(names).toContain('invoices, first page, of 200')
    for (const { sides } of results) expect(Math.min(...sides.map(({ min }) => min))).toBeGreaterThan(0)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
