import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ulid } from 'ulid'
import { generateApiKey, insertApiKey } from '../../src/db/stores/api-keys.ts'
import type { Bench } from './environment.ts'

export interface RunningApi {
  readonly port: number
  readonly pid: number
  /** May ingest. */
  readonly key: string
  readonly stop: () => void
}

/** One API process, with a key: calls are authenticated as anyone's are. */
export async function startApi(bench: Bench): Promise<RunningApi> {
  const key = generateApiKey()
  await insertApiKey(bench.db, { id: ulid(), name: 'bench', key, scopes: ['ingest'] })
  const child = fork(fileURLToPath(new URL('api-process.ts', import.meta.url)), [], {
    env: { ...process.env, BENCH_DATABASE_URL: bench.url, NODE_ENV: 'production' },
    execArgv: ['--import', 'tsx'],
  })
  const message: unknown = await Promise.race([
    once(child, 'message').then(([first]) => first as unknown),
    once(child, 'exit').then(() => null),
  ])
  if (message === null || child.pid === undefined) throw new Error('the API process did not start')
  return { port: (message as { port: number }).port, pid: child.pid, key, stop: () => child.disconnect() }
}
