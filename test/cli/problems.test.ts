import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { dataFolder, openDataFolder } from '../../src/local/data-folder.ts'
import { freePort } from '../../src/local/ports.ts'
import { startTemporal } from '../../src/local/temporal.ts'
import { testTemporalAddress } from '../support/temporal.ts'

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const program = fileURLToPath(new URL('../../bin/perennial.mjs', import.meta.url))

async function perennialWith(variables: Record<string, string>, ...args: readonly string[]): Promise<Run> {
  return await new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', DATABASE_URL: '', PERENNIAL_URL: '', ...variables }
    execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

const perennial = async (...args: readonly string[]): Promise<Run> => await perennialWith({}, ...args)

const nowhere = `${tmpdir()}/perennial-no-such-folder`

async function takenPort(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 }
}

test('an API that does not answer is said with what, why and next, on stderr alone', async () => {
  const run = await perennial('invoices', 'list', '--url', 'http://127.0.0.1:1', '--data-dir', nowhere)
  expect(run.code).toBe(1)
  expect(run.stdout).toBe('')
  expect(run.stderr).toContain('http://127.0.0.1:1 did not answer')
  expect(run.stderr).toContain('Next: start it with npm start')
})

test('an address that is none is refused, and not asked for an answer', async () => {
  for (const url of ['nonsense', 'localhost:8888', 'ftp://localhost']) {
    const run = await perennial('invoices', 'list', '--url', url, '--data-dir', nowhere)
    expect(run.code).toBe(1)
    expect(run.stderr).toContain(`${url} is not the address of an API`)
    expect(run.stderr).toContain('Next: correct --url')
  }
})

test('a taken port is named together with the flag that changes it', async () => {
  const { server, port } = await takenPort()
  const run = await perennial('start', '--port', String(port), '--data-dir', nowhere)
  server.close()
  expect(run.code).toBe(1)
  expect(run.stderr).toContain(`Port ${port} is taken`)
  expect(run.stderr).toContain('--port')
})

test('a start on a folder that another has taken says so, and not that its ports are taken', async () => {
  const root = await mkdtemp(join(tmpdir(), 'perennial-taken-'))
  // Taken by this very process.
  await openDataFolder(dataFolder(root), { reset: false })
  const { server, port } = await takenPort()
  const run = await perennial('start', '--port', String(port), '--data-dir', root)
  server.close()
  expect(run.code).toBe(1)
  expect(run.stderr).toContain(`process ${process.pid} has taken ${root}`)
  expect(run.stderr).not.toContain(`Port ${port}`)
  await rm(root, { recursive: true })
})

test('a start on a database or a Temporal that does not answer says which, and not in a stack', async () => {
  const root = await mkdtemp(join(tmpdir(), 'perennial-away-'))
  const away = { DATABASE_URL: 'postgres://127.0.0.1:1/perennial', TEMPORAL_ADDRESS: '127.0.0.1:1' }
  const ports = ['--port', String(await freePort()), '--sandbox-port', String(await freePort())]
  const run = await perennialWith(away, 'start', '--no-demo', '--data-dir', root, ...ports)
  expect(run.code).toBe(1)
  expect(run.stderr).toContain('The database does not answer')
  expect(run.stderr).toContain('Next: check DATABASE_URL')
  expect(run.stderr).not.toContain('at async')
  const options = { folder: root, persistent: false, ui: false, existingAddress: away.TEMPORAL_ADDRESS }
  await expect(startTemporal(options)).rejects.toMatchObject({
    what: 'Temporal does not answer at 127.0.0.1:1',
  })
  await rm(root, { recursive: true })
})

test('doctor names a next step for every part that fails, as JSON too', async () => {
  const run = await perennial('doctor', '--json', '--url', 'http://127.0.0.1:1', '--data-dir', nowhere)
  expect(run.code).toBe(1)
  const report = JSON.parse(run.stdout) as {
    ok: boolean
    checks: { name: string; ok: boolean; next?: string }[]
  }
  expect(report.ok).toBe(false)
  const failing = report.checks.filter((check) => !check.ok)
  expect(failing.map((check) => check.name)).toContain('PostgreSQL')
  expect(failing.every((check) => (check.next ?? '') !== '')).toBe(true)
})

test('a wrong instant and a wrong port are refused before anything is done', async () => {
  const clock = await perennial('clock', 'advance', 'x', '--to', 'tomorrow')
  expect(clock.stderr).toContain('2026-02-01')
  const noDay = await perennial('clock', 'advance', 'x', '--to', '2026-02-30')
  expect(noDay.stderr).toContain('have no 2026-02-30')
  const start = await perennial('start', '--port', '99999')
  expect(start.stderr).toContain('1 to 65535')
})

test.each([[['nonsense']], [['invoices', 'list', '--nonsense']], [['subscriptions', 'list']]])(
  'what is mistyped in %j hints at the help',
  async (args) => {
    const { code, stderr } = await perennial(...args)
    expect(code).toBe(1)
    expect(stderr).toContain('--help shows what there is')
  },
)

test('every command has a help text', async () => {
  const { stdout } = await perennial('--help')
  for (const name of [
    'start',
    'ingest',
    'clock',
    'invoices',
    'subscriptions',
    'customers',
    'keys',
    'migrate',
    'doctor',
    'status',
  ]) {
    expect(stdout).toContain(`  ${name}`)
  }
})

test('a database that does not answer is said with what, why and next, without a stack', async () => {
  const DATABASE_URL = 'postgres://postgres@127.0.0.1:1/none'
  const run = await perennialWith({ DATABASE_URL }, 'keys', 'list', '--data-dir', nowhere)
  expect(run.code).toBe(1)
  expect(run.stderr).toContain('The database does not answer')
  expect(run.stderr).toContain('Next: check DATABASE_URL')
  expect(run.stderr).not.toMatch(/\n\s+at /)
})

test('a time zone that is none is refused before a row is read', async () => {
  const run = await perennial('ingest', 'usage.csv', '--time-zone', 'Mars/Olympus')
  expect(run.code).toBe(1)
  expect(run.stderr).toContain('a time zone is like America/New_York')
})

test('a start whose npm was ended alone ends too', async () => {
  const root = await mkdtemp(join(tmpdir(), 'perennial-left-'))
  // Answers nothing: the start is waiting for it.
  const database = createServer()
  const asked = once(database, 'connection') as Promise<[Socket]>
  await new Promise<void>((resolve) => void database.listen(0, '127.0.0.1', resolve))
  const { port } = database.address() as AddressInfo
  const ports = `--port ${await freePort()} --sandbox-port ${await freePort()}`
  const start = `"${process.execPath}" scripts/bootstrap.mjs start --no-demo --data-dir "${root}" ${ports}`
  const shell = spawn('sh', ['-c', `${start} & wait`], {
    stdio: 'ignore',
    env: {
      ...process.env,
      npm_lifecycle_event: 'start',
      DATABASE_URL: `postgres://127.0.0.1:${port}/perennial`,
      TEMPORAL_ADDRESS: await testTemporalAddress(),
    },
  })
  const [socket] = await asked
  shell.kill('SIGKILL')
  await once(socket.resume(), 'close')
  database.close()
  await rm(root, { recursive: true })
})
