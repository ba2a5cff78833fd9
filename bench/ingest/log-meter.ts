import type { Sample } from '../support/benchmark.ts'
import type { Bench } from '../support/environment.ts'

export const WAL_EACH = 'bytes of WAL each'

/** What is written to PostgreSQL's log from now on, for each of what was done: whole pages where a checkpoint was just before. */
export async function logMeter({
  pool,
}: Bench): Promise<(done: number) => Promise<Required<Pick<Sample, 'more'>>>> {
  const position = async (since: string): Promise<{ at: string; bytes: number }> => {
    const { rows } = await pool.query<{ at: string; bytes: number }>(
      `SELECT lsn::text AS at, (lsn - $1::pg_lsn)::float8 AS bytes FROM pg_current_wal_insert_lsn() lsn`,
      [since],
    )
    const [row] = rows
    if (row === undefined) throw new Error('PostgreSQL does not say where its log ends')
    return row
  }
  const { at } = await position('0/0')
  return async (done) => ({ more: { [WAL_EACH]: (await position(at)).bytes / done } })
}
