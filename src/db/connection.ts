import { CamelCasePlugin, Kysely, PostgresDialect, PostgresDriver } from 'kysely'
import type {
  DatabaseConnection,
  Driver,
  PluginTransformResultArgs,
  PostgresDialectConfig,
  PostgresPool,
  PostgresPoolClient,
  QueryResult,
  Transaction,
  UnknownRow,
} from 'kysely'
import { Pool, TypeOverrides } from 'pg'
import type { PoolClient, QueryResult as PgResult } from 'pg'
import { statementName } from './prepared.ts'
import type { DB } from './types.gen.ts'

/** A pool or a transaction: every query is a function of one of these, so that it joins any transaction. */
export type Db = Kysely<DB> | Transaction<DB>
/** Where a function begins transactions itself. */
export type Database = Kysely<DB>

export interface DatabaseOptions {
  readonly connectionString: string
  /** Connections kept at most; an activity slot or a request in flight needs one. */
  readonly maxConnections: number
  readonly applicationName?: string
}

const TIMESTAMPTZ_OID = 1184
const types = new TypeOverrides()
// bigint and numeric stay strings (pg's default): a float must not reach an amount. Instants become Dates.
types.setTypeParser(TIMESTAMPTZ_OID, (text) => new Date(text))

/**
 * As long as a connection stays without work: a new one costs PostgreSQL what it has to find out, parse and plan anew. Less than
 * the four minutes after which networks forget one that is silent.
 */
const IDLE_MAX_MS = 180_000

const pools = new WeakMap<Database, Pool>()

/** How a process uses its connections. */
export interface PoolUse {
  readonly open: number
  readonly idle: number
  /** Queries that wait for a connection. */
  readonly waiting: number
}

export function poolUse(db: Database): PoolUse {
  const pool = pools.get(db)
  return { open: pool?.totalCount ?? 0, idle: pool?.idleCount ?? 0, waiting: pool?.waitingCount ?? 0 }
}

/** Rows of one answer have the same columns: these are renamed once, not in every row. */
class ColumnNames extends CamelCasePlugin {
  override async transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    const names = Object.keys(result.rows[0] ?? {}).map((column) => [column, this.camelCase(column)] as const)
    if (names.every(([column, name]) => column === name)) return result
    const renamed = (row: UnknownRow): UnknownRow => {
      const named: UnknownRow = {}
      for (const [column, name] of names) named[name] = row[column]
      return named
    }
    // Not by a spread with members behind it: in Node 20 each such object has a hidden class of its own (performance.md).
    return Object.assign({}, result, { rows: result.rows.map(renamed) })
  }
}

/** The pool as Kysely uses it, which sends statements without names. */
function namingStatements(pool: Pool): PostgresPool {
  const clients = new WeakMap<PoolClient, PostgresPoolClient>()
  const naming = (client: PoolClient): PostgresPoolClient => {
    // By a callback: what a promise of pg's answers outlives small garbage collections, whose pauses grow with it.
    const query = async (text: string, values: unknown[]) =>
      await new Promise<PgResult>((resolve, reject) => {
        const config = { name: statementName(text), text, values }
        client.query(config, (error: Error | null, result) =>
          error === null ? resolve(result) : reject(error),
        )
      })
    // Cursors, the other thing that Kysely could ask for, are for streams: there are none.
    return { query, release: () => client.release() } as unknown as PostgresPoolClient
  }
  return {
    connect: async () => {
      const client = await pool.connect()
      const known = clients.get(client) ?? naming(client)
      clients.set(client, known)
      return known
    },
    end: async () => await pool.end(),
  }
}

/** A transaction that fails says why: where its connection was lost, that it cannot be rolled back either is no news. */
class TellingDriver extends PostgresDriver {
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await super.rollbackTransaction(connection).catch(() => {})
  }
}

class TellingDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig

  constructor(config: PostgresDialectConfig) {
    super(config)
    this.#config = config
  }

  override createDriver(): Driver {
    return new TellingDriver(this.#config)
  }
}

/** Opens a pool; nothing connects before the first query. Close it with `db.destroy()`. */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = new Pool({
    connectionString: options.connectionString,
    max: options.maxConnections,
    idleTimeoutMillis: IDLE_MAX_MS,
    // A host that vanished without a word is noticed before something waits for an answer of it.
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    application_name: options.applicationName ?? 'perennial',
    types,
    // A session in another zone would render timestamptz text in it.
    options: '-c TimeZone=UTC',
  })
  // An idle connection that the server closes is replaced on next use; without a listener it would end the process.
  pool.on('error', () => {})
  // One that is lost while it is used fails its query, and says so a second time as an event.
  pool.on('connect', (client) => void client.on('error', () => {}))
  const db = new Kysely<DB>({
    dialect: new TellingDialect({ pool: namingStatements(pool) }),
    plugins: [new ColumnNames()],
  })
  pools.set(db, pool)
  return db
}
