import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { openDatabase } from '../../src/db/connection.ts'
import { migrate } from '../../src/db/migrate.ts'
import { startPostgres } from '../../src/local/postgres.ts'
import { startTemporal } from '../../src/local/temporal.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where test files ask for services, see services.ts. */
    readonly supportUrl: string
  }
}

type Start = (folder: string, onStop: (stop: () => Promise<void>) => void) => Promise<string>

/** What test files can ask for. Each is started once a run, when the first file asks: tests of the domain start none. */
const starters: Readonly<Record<string, Start>> = {
  async postgres(folder, onStop) {
    const server = await startPostgres({
      folder: join(folder, 'postgres'),
      durability: 'fast',
      database: 'template_perennial',
    })
    onStop(server.stop)
    const db = openDatabase({ connectionString: server.url, maxConnections: 1 })
    await migrate(db)
    // CREATE DATABASE … TEMPLATE needs the template to have no sessions.
    await db.destroy()
    return server.url
  },
  async temporal(folder, onStop) {
    const log = (message: string): void => void process.stderr.write(`${message}\n`)
    const server = await startTemporal({
      folder: join(folder, 'temporal'),
      persistent: false,
      ui: false,
      existingAddress: process.env['TEMPORAL_ADDRESS'],
      onProgress: log,
    })
    onStop(server.stop)
    return server.address
  },
  async bundle(folder) {
    const { bundleWorkflowCode } = await import('@temporalio/worker')
    const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url))
    const { code } = await bundleWorkflowCode({ workflowsPath })
    await mkdir(folder, { recursive: true })
    const file = join(folder, 'workflow-bundle.cjs')
    await writeFile(file, code)
    return file
  },
}

/** Vitest's global setup: a loopback server hands out the services; returns the teardown. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-test-'))
  const stops: (() => Promise<void>)[] = []
  const started = new Map<string, Promise<string>>()
  const start = async (name: string): Promise<string> => {
    const starter = starters[name]
    if (starter === undefined) throw new Error(`no test service is called ${name}`)
    const running = started.get(name) ?? starter(folder, (stop) => void stops.push(stop))
    started.set(name, running)
    return await running
  }
  const server = createServer((request, response) => {
    start((request.url ?? '').slice(1)).then(
      (value) => response.end(JSON.stringify({ value })),
      (error: unknown) =>
        response.writeHead(500).end(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    )
  })
  // The first answer may take as long as a build of Temporal.
  server.requestTimeout = 0
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  project.provide(
    'supportUrl',
    `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
  )
  return async () => {
    server.close()
    server.closeAllConnections()
    await Promise.all(stops.map(async (stop) => await stop()))
    await rm(folder, { recursive: true, force: true })
  }
}
