import { sql } from 'kysely'
import type { Selectable, Transaction } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import type { DB, Meters } from '../types.gen.ts'
import type { Aggregation, MeterDefinition, UsageMeter } from '../../domain/meters.ts'

/** A meter as it is stored; `key` is the contract's slug. */
export interface MeterRow extends UsageMeter {
  readonly id: string
  readonly key: string
  readonly name: string | null
  readonly description: string | null
  readonly metadata: Readonly<Record<string, string>> | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly deletedAt: Date | null
}

export interface NewMeter extends MeterDefinition {
  readonly id: string
  readonly name: string | null
  readonly description: string | null
  readonly metadata: Readonly<Record<string, string>> | null
  readonly eventFrom: Date | null
}

/** Inserts a meter; null when a living meter has its key. */
export async function insertMeter(db: Db, meter: NewMeter, now: Date): Promise<MeterRow | null> {
  const row = await db
    .insertInto('meters')
    .values({
      ...meter,
      groupBy: JSON.stringify(meter.groupBy),
      metadata: meter.metadata === null ? null : JSON.stringify(meter.metadata),
      createdAt: now,
      updatedAt: now,
    })
    .onConflict((oc) => oc.column('key').where('deletedAt', 'is', null).doNothing())
    .returningAll()
    .executeTakeFirst()
  return row === undefined ? null : toMeter(row)
}

/** The living meter of an id or key. An id wins, so that a key that looks like one cannot hide a meter. */
export async function findMeter(db: Db, idOrKey: string): Promise<MeterRow | null> {
  const rows = await db
    .selectFrom('meters')
    .selectAll()
    .where('deletedAt', 'is', null)
    .where((eb) => eb.or([eb('id', '=', idOrKey), eb('key', '=', idOrKey)]))
    .execute()
  const row = rows.find(({ id }) => id === idOrKey) ?? rows[0]
  return row === undefined ? null : toMeter(row)
}

export interface MeterListOptions {
  readonly orderBy: 'key' | 'name' | 'aggregation' | 'createdAt' | 'updatedAt'
  readonly order: 'asc' | 'desc'
  readonly limit: number
  readonly offset: number
  readonly includeDeleted: boolean
}

export async function listMeters(db: Db, options: MeterListOptions): Promise<readonly MeterRow[]> {
  const query = db
    .selectFrom('meters')
    .selectAll()
    .orderBy(options.orderBy, options.order)
    .orderBy('id', options.order)
    .limit(options.limit)
    .offset(options.offset)
  const rows = await (options.includeDeleted ? query : query.where('deletedAt', 'is', null)).execute()
  return rows.map(toMeter)
}

/** The living meters of some event types: what decides whether an event can be used. */
export async function metersOfTypes(db: Db, eventTypes: readonly string[]): Promise<readonly MeterRow[]> {
  if (eventTypes.length === 0) return []
  return (await livingOfTypes(db, eventTypes)).map(toMeter)
}

const columns = [
  'id',
  'key',
  'name',
  'description',
  'metadata',
  'eventType',
  'eventFrom',
  'aggregation',
  'valueProperty',
  'groupBy',
  'createdAt',
  'updatedAt',
  'deletedAt',
] as const

const livingOfTypes = prepared((db, eventTypes: readonly string[]) =>
  db
    .selectFrom('meters')
    .select(columns)
    .where(sql<boolean>`event_type = any(${eventTypes}::text[])`)
    .where('deletedAt', 'is', null)
    .orderBy('createdAt')
    .compile(),
)

/** What of a meter can change; a member left out stays. */
export interface MeterChange {
  readonly name?: string | null
  readonly description?: string | null
  readonly metadata?: Readonly<Record<string, string>> | null
  readonly groupBy?: Readonly<Record<string, string>>
}

export async function updateMeter(
  db: Db,
  id: string,
  change: MeterChange & { readonly now: Date },
): Promise<MeterRow | null> {
  const { now, metadata, groupBy, ...rest } = change
  const row = await db
    .updateTable('meters')
    .set({
      ...rest,
      ...(metadata === undefined ? {} : { metadata: metadata === null ? null : JSON.stringify(metadata) }),
      ...(groupBy === undefined ? {} : { groupBy: JSON.stringify(groupBy) }),
      updatedAt: now,
    })
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .returningAll()
    .executeTakeFirst()
  return row === undefined ? null : toMeter(row)
}

/**
 * Holds a living meter until the transaction ends, and answers whether there is one: a feature that begins to count by it
 * and its deletion wait for each other.
 */
export async function lockMeter(trx: Transaction<DB>, id: string): Promise<boolean> {
  const living = trx.selectFrom('meters').select('id').where('id', '=', id).where('deletedAt', 'is', null)
  return (await living.forUpdate().executeTakeFirst()) !== undefined
}

/** Soft: invoices keep naming it. `in_use` while a living feature counts by it. */
export async function deleteMeter(
  trx: Transaction<DB>,
  id: string,
  now: Date,
): Promise<'deleted' | 'in_use' | 'not_found'> {
  // A statement of its own: the next one sees the features of whoever held the meter before.
  if (!(await lockMeter(trx, id))) return 'not_found'
  const user = await trx
    .selectFrom('features')
    .select('id')
    .where('meterId', '=', id)
    .where('archivedAt', 'is', null)
    .limit(1)
    .executeTakeFirst()
  if (user !== undefined) return 'in_use'
  await trx.updateTable('meters').set({ deletedAt: now, updatedAt: now }).where('id', '=', id).execute()
  return 'deleted'
}

/** The columns are checked when they are written: see `checkMeter`. */
export function toMeter(row: Selectable<Meters>): MeterRow {
  return {
    ...row,
    aggregation: row.aggregation as Aggregation,
    groupBy: row.groupBy as Readonly<Record<string, string>>,
    metadata: row.metadata as Readonly<Record<string, string>> | null,
  }
}
