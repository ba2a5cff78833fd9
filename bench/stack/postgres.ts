import { Client } from 'pg'
import { startPostgres } from '../../src/local/postgres.ts'
import type { RunningPostgres } from '../../src/local/postgres.ts'

/** fsync stays on. A gigabyte of buffers and room for the log, as anyone who ran it in earnest would give it. */
export async function startTunedPostgres(folder: string, database: string): Promise<RunningPostgres> {
  const options = { folder, durability: 'durable', database } as const
  const untuned = await startPostgres(options)
  const client = new Client({ connectionString: untuned.url })
  await client.connect()
  for (const setting of ["shared_buffers = '1GB'", "max_wal_size = '8GB'"])
    await client.query(`ALTER SYSTEM SET ${setting}`)
  await client.end()
  await untuned.stop()
  return await startPostgres(options)
}
