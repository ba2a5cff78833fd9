import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { testService } from './services.ts'

export interface TestDatabase {
  readonly db: Database
  readonly url: string
  /** Closes the pool and drops the database, sessions of child processes included. */
  readonly drop: () => Promise<void>
}

/** A migrated database of its own on the run's PostgreSQL; about 50 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  return await databaseFrom(new URL(await testService('postgres')))
}

/**
 * What a base backup of this moment would restore: a copy, transaction ids included. Sessions on the original are cut off
 * for as long as it takes.
 */
export async function copyDatabase({ url }: TestDatabase): Promise<TestDatabase> {
  const original = new URL(url)
  const name = original.pathname.slice(1)
  const admin = adminOf(original)
  await execute(admin, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`)
  try {
    await execute(admin, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`)
    return await databaseFrom(original)
  } finally {
    await execute(admin, `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`)
  }
}

/** Where to look at databases from: while a session is on the one that all are copied from, none can be made. */
export async function adminUrl(): Promise<string> {
  return adminOf(new URL(await testService('postgres')))
}

const adminOf = (server: URL): string => Object.assign(new URL(server), { pathname: '/postgres' }).href

async function databaseFrom(template: URL): Promise<TestDatabase> {
  const templateName = template.pathname.slice(1)
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const admin = adminOf(template)
  await execute(admin, `CREATE DATABASE ${name} TEMPLATE ${templateName} STRATEGY FILE_COPY`)
  const url = new URL(template)
  url.pathname = `/${name}`
  const db = openDatabase({ connectionString: url.href, maxConnections: 8 })
  const drop = async (): Promise<void> => {
    await db.destroy()
    await execute(admin, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  }
  return { db, url: url.href, drop }
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
