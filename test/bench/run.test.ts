import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { readReport } from '../../bench/support/results.ts'
import { adminUrl } from '../support/database.ts'

const script = fileURLToPath(new URL('../../bench/run.ts', import.meta.url))

// Three processes start: seconds on a quiet machine, and CI is not always one.
test('a benchmark runs to its end and leaves its figures', { timeout: 180_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-bench-test-'))
  const json = join(folder, 'results.json')
  const args = ['--import', 'tsx', script, '--only', 'api', '--rounds', '1', '--size', 'tiny', '--json', json]
  try {
    const env = { ...process.env, DATABASE_URL: await adminUrl() }
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

test('one that SIGTERM ends leaves neither its folder nor its database', { timeout: 180_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-bench-test-'))
  const json = join(folder, 'results.json')
  const args = ['--import', 'tsx', script, '--only', 'api', '--size', 'tiny', '--json', json]
  const url = await adminUrl()
  const env = { ...process.env, DATABASE_URL: url, TMPDIR: folder }
  const bench = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(bench, 'exit')
  const client = new Client({ connectionString: url })
  try {
    await client.connect()
    for await (const line of createInterface(bench.stderr)) if (line.startsWith('api: ')) break
    bench.kill('SIGTERM')
    expect(await ended).toEqual([143, null])
    expect((await readdir(folder)).filter((name) => name.startsWith('perennial-'))).toEqual([])
    const names = [`perennial_bench_${bench.pid}`]
    const { rows } = await client.query('SELECT FROM pg_database WHERE datname = ANY($1)', [names])
    expect(rows).toEqual([])
  } finally {
    bench.kill('SIGKILL')
    await client.end()
    await rm(folder, { recursive: true, force: true })
  }
})
