import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Transaction } from 'kysely'
import type { Database, Db } from '../connection.ts'
import type { DB } from '../types.gen.ts'
import { addToRollups } from './usage-rollups.ts'
import { deleteObsolete, livingSeries, matchSeriesToMeters } from './usage-series.ts'
import type { UsageSeries } from './usage-series.ts'

/** Nobody else rolls up meanwhile. */
const LOCK = sql`hashtextextended('perennial/usage-rollups', 0)`
/** Events that one transaction rolls up at most. */
const EVENTS_MAX = 20_000

/** Who stores longer than this holds rollups up, not us: it is looked for again the next time. */
const FINISHING_MS = 2000
const LOOK_EVERY_MS = 10

/** Transactions that may yet store an event up to `seq`. */
interface Finishing {
  readonly seq: string
  readonly waitingFor: readonly string[]
}

/**
 * The last event that was given a number, and who stores at this moment. Once those have ended no event up to it can
 * appear any more: whoever stores locks the table before it draws a number, so the numbers are asked for first, then
 * the locks. Nobody waits for us, and a process of any version is seen.
 */
export async function beginFinishing(db: Db): Promise<Finishing> {
  const seq = await newestSeq(db)
  return { seq, waitingFor: await storing(db) }
}

/** The last number that was given to an event, stored or not. */
export async function newestSeq(db: Db): Promise<string> {
  const { rows } = await sql<{ seq: string }>`
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS seq FROM events_seq_seq`.execute(db)
  const seq = rows[0]?.seq
  if (seq === undefined) throw new Error('the sequence of events has no row')
  return seq
}

export async function hasFinished(db: Db, { waitingFor }: Finishing): Promise<boolean> {
  if (waitingFor.length === 0) return true
  const now = await storing(db)
  return !waitingFor.some((one) => now.includes(one))
}

async function storing(db: Db): Promise<readonly string[]> {
  const { rows } = await sql<{ virtualtransaction: string }>`
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = 'events'::regclass AND mode = 'RowExclusiveLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`.execute(db)
  return rows.map(({ virtualtransaction }) => virtualtransaction)
}

/** The last event that was stored so far, once no event before it can appear any more; null where that takes too long. */
export async function finishedSeq(db: Db): Promise<string | null> {
  const finishing = await beginFinishing(db)
  const giveUpAt = Date.now() + FINISHING_MS
  while (!(await hasFinished(db, finishing))) {
    if (Date.now() > giveUpAt) return null
    await pause(LOOK_EVERY_MS)
  }
  return finishing.seq
}

/** One step with what no transaction can add to any more; false when there is nothing to do. */
export async function rollUpFinished(db: Database): Promise<boolean> {
  const seq = await finishedSeq(db)
  return seq !== null && (await rollUp(db, seq))
}

/** A transaction in which nobody rolls up: what the rollups hold stays as it is. Waits for who does, one step at most. */
export async function withoutRolling<T>(
  db: Database,
  work: (trx: Transaction<DB>) => Promise<T>,
): Promise<T> {
  return await db.transaction().execute(async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(${LOCK})`.execute(trx)
    return await work(trx)
  })
}

/**
 * Rolls up some of what was stored up to `finishedSeq` for every series, the furthest behind first. False when there is
 * nothing to do, or another process is doing it.
 */
export async function rollUp(db: Database, finishedSeq: string, eventsMax = EVENTS_MAX): Promise<boolean> {
  return await db.transaction().execute(async (trx) => {
    const { rows } = await sql<{
      locked: boolean
    }>`SELECT pg_try_advisory_xact_lock(${LOCK}) AS locked`.execute(trx)
    if (rows[0]?.locked !== true) return false
    await matchSeriesToMeters(trx, finishedSeq)
    const isRolled = await rollSlices(trx, BigInt(finishedSeq), BigInt(eventsMax))
    const isDeleted = await deleteObsolete(trx, eventsMax)
    return isRolled || isDeleted
  })
}

/** Series that have come equally far go on together; one that catches up with others joins them. */
async function rollSlices(trx: Transaction<DB>, finishedSeq: bigint, eventsMax: bigint): Promise<boolean> {
  const waiting = [...(await livingSeries(trx))]
  let together: UsageSeries[] = []
  let isRolled = false
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    together.push(next)
    const after = BigInt(next.rolledSeq)
    const ahead = waiting[0] === undefined ? finishedSeq : BigInt(waiting[0].rolledSeq)
    const goal = ahead < finishedSeq ? ahead : finishedSeq
    if (goal <= after) continue
    const upTo = after + eventsMax < goal ? after + eventsMax : goal
    await rollSlice(trx, together, { after: String(after), upTo: String(upTo) })
    isRolled = true
    if (upTo < goal || upTo < ahead) together = []
  }
  return isRolled
}

interface Slice {
  readonly after: string
  readonly upTo: string
}

async function rollSlice(trx: Transaction<DB>, series: readonly UsageSeries[], slice: Slice): Promise<void> {
  await addToRollups(series, slice).execute(trx)
  await sql`UPDATE usage_series SET rolled_seq = ${slice.upTo}::bigint
    WHERE id = ANY(${series.map(({ id }) => id)}::int[])`.execute(trx)
}
