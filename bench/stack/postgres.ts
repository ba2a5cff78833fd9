import { totalmem } from 'node:os'
import { Client } from 'pg'
import { startPostgres } from '../../src/local/postgres.ts'
import type { RunningPostgres } from '../../src/local/postgres.ts'

const MIB = 2 ** 20

/** fsync stays on. A quarter of the memory as buffers and room for the log, as docs/operations.md says. */
const settings = [
  `shared_buffers = '${Math.floor(totalmem() / 4 / MIB)}MB'`,
  "max_wal_size = '8GB'",
  "checkpoint_timeout = '15min'",
]

/** As whoever runs it in earnest would set it. */
export async function startTunedPostgres(folder: string, database: string): Promise<RunningPostgres> {
  const options = { folder, durability: 'durable', database } as const
  const untuned = await startPostgres(options)
  const client = new Client({ connectionString: untuned.url })
  await client.connect()
  for (const setting of settings) await client.query(`ALTER SYSTEM SET ${setting}`)
  await client.end()
  await untuned.stop()
  return await startPostgres(options)
}
