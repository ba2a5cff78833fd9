import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function run(script: string, ...args: readonly string[]): Promise<Run> {
  return await new Promise((resolve) => {
    const command = ['--import', 'tsx', script, ...args]
    execFile(process.execPath, command, { cwd: root }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

test.each([
  'bench/run.ts',
  'bench/topology/run.ts',
  'bench/kill-bill/run.ts',
  'test/chaos/run.ts',
  'test/load/run.ts',
])('%s answers an option that it does not know with a line', { timeout: 120_000 }, async (script) => {
  const stderr = `Unknown option '--nonsense'; --help shows what there is\n`
  expect(await run(script, '--nonsense')).toEqual({ code: 2, stdout: '', stderr })
})

test('a value that is missing, and one too many, are answered likewise', { timeout: 120_000 }, async () => {
  const missing = await run('bench/run.ts', '--rounds')
  expect(missing).toMatchObject({ code: 2, stdout: '' })
  expect(missing.stderr).toMatch(/^Option '--rounds <value>' argument missing; .*\n$/)
  const extra = await run('bench/run.ts', 'rating')
  expect(extra).toMatchObject({ code: 2, stdout: '' })
  expect(extra.stderr).toMatch(/^Unexpected argument 'rating'; .*\n$/)
})
