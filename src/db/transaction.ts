import type { Transaction } from 'kysely'
import type { Database } from './connection.ts'
import type { DB } from './types.gen.ts'

const SERIALIZATION_FAILURE = '40001'
const DEADLOCK = '40P01'
const MAX_TRIES = 8

/**
 * Runs `work` on one snapshot of the database: every query in it sees the same usage, and that snapshot is the cutoff
 * (billing rule 8). A transaction that lost a race is run again from the start, so `work` must have no outside effects.
 */
export async function withSnapshot<T>(db: Database, work: (trx: Transaction<DB>) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().setIsolationLevel('repeatable read').execute(work)
    } catch (error) {
      if (attempt >= MAX_TRIES || !isRace(error)) throw error
    }
  }
}

/**
 * Questions on one snapshot of the database. Their answer does not wait for the transaction to end: it has nothing to keep, and
 * its connection is free when it has.
 */
export async function askOnSnapshot<T>(db: Database, ask: (trx: Transaction<DB>) => Promise<T>): Promise<T> {
  return await new Promise((resolve, reject) => {
    const asking = db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only')
    asking.execute(async (trx) => resolve(await ask(trx))).catch(reject)
  })
}

function isRace(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === SERIALIZATION_FAILURE || code === DEADLOCK
}
