import { isOutsideTransaction } from '../../src/db/migration-files.ts'
import type { MigrationFile } from '../../src/db/migration-files.ts'

/** Tables that grow with usage: nothing may rewrite or scan them while events come in. */
const usage = String.raw`(?:ONLY )?(?:event_identities\w*|events\w*|\w*rollups?\w*)\b`
const alter = String.raw`ALTER TABLE (?:IF EXISTS )?${usage}[^;]*\b`

const forbidden: readonly (readonly [pattern: RegExp, why: string])[] = [
  [
    new RegExp(`CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)[^;]*\\bON ${usage}`, 'i'),
    'build its index CONCURRENTLY',
  ],
  [
    new RegExp(`${alter}ADD COLUMN (?:(?!DEFAULT)[^,;])*NOT NULL(?:(?!DEFAULT)[^,;])*[,;]`, 'i'),
    'NOT NULL needs a DEFAULT',
  ],
  [new RegExp(`${alter}ALTER (?:COLUMN )?\\w+ (?:SET DATA )?TYPE`, 'i'), 'another type rewrites the table'],
  [new RegExp(`${alter}SET NOT NULL`, 'i'), 'SET NOT NULL scans the table'],
  [
    new RegExp(`${alter}ADD (?:CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY)\\b(?![^;]*NOT VALID)`, 'i'),
    'add it NOT VALID',
  ],
  [
    new RegExp(`\\b(?:UPDATE|DELETE FROM|TRUNCATE(?: TABLE)?|LOCK TABLE) ${usage}`, 'i'),
    'fill it in small steps',
  ],
]

/** What goes in one release only after the release before stopped using it: the file says `-- contract: …`. */
const contracting = /\b(?:DROP TABLE|DROP COLUMN|RENAME (?:COLUMN|TO))\b/i

/** What in a migration would hold up usage, or break the program that runs meanwhile. */
export function problemsIn(migration: MigrationFile): readonly string[] {
  const made = [...migration.text.matchAll(/CREATE TABLE (?:IF NOT EXISTS )?(\w+)/gi)].map(
    ([, name = '']) => name,
  )
  const sql = migration.text.replaceAll(/--.*/g, '').replaceAll(/\s+/g, ' ')
  // A table that the file itself makes is empty.
  const old = made.reduce<string>(
    (text, name) => text.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), 'new_table'),
    sql,
  )
  const problems = forbidden.filter(([pattern]) => pattern.test(old)).map(([, why]) => why)
  if (contracting.test(old) && !migration.text.includes('-- contract:'))
    problems.push('an older program may use it: say -- contract: and since which release it is unused')
  const isOutside = isOutsideTransaction(migration)
  if (/CONCURRENTLY/i.test(old) !== isOutside)
    problems.push('CONCURRENTLY goes with -- outside a transaction')
  const statements = old.split(';').filter((statement) => statement.trim() !== '')
  if (isOutside && !statements.every((statement) => / IF (?:NOT )?EXISTS /i.test(statement)))
    problems.push('outside a transaction every statement has to be safe to repeat: IF EXISTS, IF NOT EXISTS')
  return problems
}
