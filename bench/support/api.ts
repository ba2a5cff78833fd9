import { ulid } from 'ulid'
import { generateApiKey, insertApiKey } from '../../src/db/stores/api-keys.ts'
import type { ApiKeyScope } from '../../src/db/stores/api-keys.ts'
import { startBenchChild } from './child.ts'
import type { BenchChild } from './child.ts'
import type { Bench } from './environment.ts'

export interface RunningApi extends BenchChild {
  readonly key: string
}

/** One API process, with a key: calls are authenticated as anyone's are. */
export async function startApi(bench: Bench, scope: ApiKeyScope = 'ingest'): Promise<RunningApi> {
  const key = generateApiKey()
  await insertApiKey(bench.db, { id: ulid(), name: 'bench', key, scopes: [scope] })
  return { ...(await startBenchChild('api-process.ts', { BENCH_DATABASE_URL: bench.url })), key }
}
