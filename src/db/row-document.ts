import type { Selectable } from 'kysely'

/** A row that was read as a document (`to_jsonb`), so that one statement answers with rows of several tables. */
export type RowDocument = Readonly<Record<string, unknown>>

/** The columns of an answer whose rows are documents; lists stay lists. */
export type DocumentsOf<T> = {
  readonly [K in keyof T]: T[K] extends readonly unknown[]
    ? T[K]
    : null extends T[K]
      ? RowDocument | null
      : RowDocument
}

/** The columns of a table that hold instants: JSON has them as text. */
type InstantColumns<Table> = {
  [K in keyof Table]-?: Date extends Selectable<Table>[K & keyof Selectable<Table>] ? K : never
}[keyof Table]

/** Names of columns by their names in the database; there are as many as the schema has. */
const columnNames = new Map<string, string>()

function columnName(column: string): string {
  const known = columnNames.get(column)
  if (known !== undefined) return known
  const name = column.replaceAll(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase())
  columnNames.set(column, name)
  return name
}

/**
 * The row that a document is. Every column of instants has to be named. Not for tables with bigint or numeric columns: they
 * are text in a row, and numbers in JSON.
 */
export function rowOf<Table>(
  document: RowDocument,
  instants: Readonly<Record<InstantColumns<Table>, true>>,
): Selectable<Table> {
  const row: Record<string, unknown> = {}
  for (const [column, value] of Object.entries(document)) {
    const name = columnName(column)
    row[name] = name in instants && typeof value === 'string' ? new Date(value) : value
  }
  return row as Selectable<Table>
}
