import { readFile, readdir } from 'node:fs/promises'

export interface MigrationFile {
  /** Without the ending; they run in this order. */
  readonly name: string
  readonly text: string
}

const folder = new URL('./migrations/', import.meta.url)

/** Numbered SQL files, forward only: plain SQL reviews better than builders. */
export async function readMigrations(from: URL = folder): Promise<readonly MigrationFile[]> {
  const names = (await readdir(from)).filter((name) => name.endsWith('.sql')).sort()
  return await Promise.all(
    names.map(async (name) => ({
      name: name.replace(/\.sql$/, ''),
      text: await readFile(new URL(name, from), 'utf8'),
    })),
  )
}

/**
 * What cannot run in a transaction says so in its first line: building an index CONCURRENTLY. Each of its statements is safe
 * to repeat, since a failure leaves those before it done.
 */
export function isOutsideTransaction({ text }: MigrationFile): boolean {
  return text.startsWith('-- outside a transaction')
}

/** The statements of a migration outside a transaction: each ends a line. */
export function statementsOf({ text }: MigrationFile): readonly string[] {
  return text.split(/;[ \t]*(?:\n|$)/).filter((statement) => statement.replaceAll(/--.*/g, '').trim() !== '')
}
