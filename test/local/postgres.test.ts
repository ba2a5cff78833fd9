import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/connection.ts'
import { freePort } from '../../src/local/ports.ts'
import { startPostgres } from '../../src/local/postgres.ts'
import { birthOf } from '../../src/local/process-record.ts'

const folders: string[] = []

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-postgres-'))
  folders.push(folder)
  return folder
}

afterEach(async () => {
  await Promise.all(
    folders.splice(0).map(async (folder) => await rm(folder, { recursive: true, force: true })),
  )
})

async function query(url: string, statement: string): Promise<readonly unknown[]> {
  const db = openDatabase({ connectionString: url, maxConnections: 1 })
  try {
    return (await sql.raw(statement).execute(db)).rows
  } finally {
    await db.destroy()
  }
}

test('a start after a crash ends what the crash left and finds its data', async () => {
  const options = { folder: await newFolder(), durability: 'fast', database: 'perennial' } as const
  const first = await startPostgres(options)
  await query(first.url, 'CREATE TABLE kept (n int)')
  // Nobody stops the first: a start that was killed leaves its server behind, with its record and its lock.
  const second = await startPostgres(options)
  expect(await birthOf(first.child?.pid ?? 0)).toBeNull()
  expect(await query(second.url, 'SELECT * FROM kept')).toEqual([])
  await second.stop()
})

test('a lock of a machine that crashed, whose pid another program has now, is cleared', async () => {
  const options = { folder: await newFolder(), durability: 'fast', database: 'perennial' } as const
  const first = await startPostgres(options)
  await first.stop()
  await writeFile(join(options.folder, 'data', 'postmaster.pid'), `${process.pid}\n/nowhere\n`)
  const second = await startPostgres(options)
  expect(await query(second.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
  await second.stop()
})

test('a port that another server took after it was found free is left to that one', async () => {
  const other = await startPostgres({ folder: await newFolder(), durability: 'fast', database: 'perennial' })
  const taken = Number(new URL(other.url).port)
  const ports = [taken]
  const server = await startPostgres({
    folder: await newFolder(),
    durability: 'fast',
    database: 'perennial',
    newPort: async () => ports.pop() ?? (await freePort()),
  })
  expect(Number(new URL(server.url).port)).not.toBe(taken)
  expect(await query(server.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
  await server.stop()
  await other.stop()
})

test('it starts below a folder that only its owner may enter', async () => {
  const closed = await newFolder()
  await chmod(closed, 0o700)
  const folder = join(closed, 'inner')
  await mkdir(folder)
  const server = await startPostgres({ folder, durability: 'fast', database: 'perennial' })
  expect(await query(server.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
  await server.stop()
})

test('the password is readable by its owner alone and part of the address', async () => {
  const folder = await newFolder()
  const server = await startPostgres({ folder, durability: 'fast', database: 'perennial' })
  expect(server.url).toContain((await readFile(join(folder, 'postgres.password'), 'utf8')).trim())
  const stranger = new URL(server.url)
  stranger.password = 'wrong'
  await expect(query(stranger.href, 'SELECT 1')).rejects.toThrow(/password/)
  await server.stop()
})
