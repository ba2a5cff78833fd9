import { hash } from 'node:crypto'
import type { CompiledQuery, RawBuilder } from 'kysely'
import type { Db } from './connection.ts'

/** Stands for a value in a question that is built before there are any. */
class Slot {
  readonly index: number

  constructor(index: number) {
    this.index = index
  }
}

/** Names of the questions below, by their text. */
const names = new Map<string, string>()

/** Under which name PostgreSQL keeps a statement; undefined: it is parsed and planned each time. */
export function statementName(text: string): string | undefined {
  return names.get(text)
}

/** A migration that adds a column would make a statement fail that was prepared with all of them. */
const allColumns = /\bselect (\w+\.|"\w+"\.)?\*|, "\w+"\.\*/i

function register({ sql }: CompiledQuery): void {
  if (allColumns.test(sql)) throw new Error(`name the columns of what is prepared: ${sql}`)
  giveName(sql)
}

function giveName(sql: string): void {
  names.set(sql, `p_${hash('sha256', sql, 'base64url').slice(0, 20)}`)
}

/**
 * A question that is asked with every request: built and compiled once in a process, parsed and planned once on a connection.
 * For what finds its rows by a key, so that one plan is good for every value.
 *
 * @param build Gets stand-ins for the values, and may only put them where values go: a list as `= any(…)`.
 */
export function prepared<Values extends readonly unknown[], Row>(
  build: (db: Db, ...values: Values) => CompiledQuery<Row>,
): (db: Db, ...values: Values) => Promise<readonly Row[]> {
  let compiled: CompiledQuery<Row> | null = null
  const compile = (db: Db): CompiledQuery<Row> => {
    const slots = Array.from({ length: build.length - 1 }, (_unused, index) => new Slot(index))
    const made = build(db, ...(slots as unknown as Values))
    register(made)
    return made
  }
  return async (db, ...values) => await ask(db, (compiled ??= compile(db)), values)
}

async function ask<Row>(
  db: Db,
  compiled: CompiledQuery<Row>,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  const parameters = compiled.parameters.map((one) => (one instanceof Slot ? values[one.index] : one))
  // Not by a spread with members behind it: in Node 20 each such object has a hidden class of its own (performance.md).
  const { query, queryId, sql } = compiled
  const { rows } = await db.executeQuery<Row>({ query, queryId, sql, parameters })
  return rows
}

/** Forms of one statement that are kept; each connection remembers as many. */
const FORMS_MAX = 32

/**
 * The same for what is written, whose text follows from what there is to write: one statement for each set of columns and
 * number of rows. One of another form than the first ones is compiled each time.
 *
 * @param build Gets the values' form with stand-ins in their places; what is left out (`undefined`) is not there.
 */
export function preparedForms<Values extends object, Row>(
  build: (db: Db, values: Values) => CompiledQuery<Row>,
): (db: Db, values: Values) => Promise<readonly Row[]> {
  const forms = new Map<string, CompiledQuery<Row>>()
  return async (db, given) => {
    const values: unknown[] = []
    const name = nameOf(given, values)
    let compiled = forms.get(name)
    if (compiled === undefined) {
      compiled = build(db, formOf(given) as Values)
      if (forms.size < FORMS_MAX) {
        register(compiled)
        forms.set(name, compiled)
      }
    }
    return await ask(db, compiled, values)
  }
}

/** Asks a question that is built anew each time. */
export type Ask = <Row>(db: Db, question: RawBuilder<Row>) => Promise<readonly Row[]>

/**
 * For questions whose text follows from what is asked: the first texts get a name, as what is `prepared` has, the others are
 * planned each time. For what finds its rows by a key, too; its `*` may only be of what it names itself.
 */
export function namingFirstTexts(): Ask {
  const named = new Set<string>()
  return async (db, question) => {
    const compiled = question.compile(db)
    if (!named.has(compiled.sql) && named.size < FORMS_MAX) {
      giveName(compiled.sql)
      named.add(compiled.sql)
    }
    return (await db.executeQuery(compiled)).rows
  }
}

/** Names a form, and takes the values out of it: with each write, so the form itself is made only where it is new. */
function nameOf(given: unknown, values: unknown[]): string {
  if (isRecord(given)) {
    let members = ''
    for (const [name, member] of Object.entries(given))
      if (member !== undefined) members += `${name}:${nameOf(member, values)},`
    return `{${members}}`
  }
  if (isListOfRecords(given)) return `[${given.map((one) => nameOf(one, values)).join(',')}]`
  values.push(given)
  return '0'
}

/** Records and lists of records keep their form; all else is a value, whose place is taken by a stand-in: in the same order. */
function formOf(given: unknown, count = { values: 0 }): unknown {
  if (isRecord(given)) {
    const members = Object.entries(given).filter(([, member]) => member !== undefined)
    return Object.fromEntries(members.map(([name, member]) => [name, formOf(member, count)]))
  }
  if (isListOfRecords(given)) return given.map((one) => formOf(one, count))
  return new Slot(count.values++)
}

const isListOfRecords = (given: unknown): given is readonly object[] =>
  Array.isArray(given) && given.length > 0 && given.every(isRecord)

const isRecord = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
