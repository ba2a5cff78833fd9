import { expect, test } from 'vitest'
import { readMigrations } from '../../src/db/migration-files.ts'
import { problemsIn } from './migration-rules.ts'

/** The last migration of 0.1.0: what came before ran on empty tables. */
const RELEASED = '0020'

test('no migration since the first release holds up usage or takes away what an older program uses', async () => {
  for (const file of (await readMigrations()).filter(({ name }) => name.slice(0, 4) > RELEASED))
    expect(problemsIn(file), file.name).toEqual([])
})

test.each([
  'CREATE INDEX i ON events (id);',
  'ALTER TABLE events ADD COLUMN a int NOT NULL;',
  'ALTER TABLE events ALTER COLUMN id TYPE bigint;',
  'ALTER TABLE event_identities ALTER COLUMN id SET NOT NULL;',
  'ALTER TABLE events ADD CONSTRAINT c CHECK (id > 0);',
  'UPDATE events SET id = 1;',
  'ALTER TABLE customers DROP COLUMN name;',
  'ALTER TABLE customers RENAME COLUMN name TO label;',
  'CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON events (id);',
  '-- outside a transaction\nCREATE INDEX CONCURRENTLY i ON events (id);',
])('%s is told of', (text) => {
  expect(problemsIn({ name: 'x', text })).toHaveLength(1)
})

test.each([
  'CREATE TABLE usage_rollups (id int); CREATE INDEX i ON usage_rollups (id);',
  'ALTER TABLE events ADD COLUMN a int NOT NULL DEFAULT 0;',
  'ALTER TABLE events ADD CONSTRAINT c CHECK (id > 0) NOT VALID;',
  '-- contract: unused since 0.2\nALTER TABLE customers DROP COLUMN name;',
  '-- outside a transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON events (id);',
])('%s is fine', (text) => {
  expect(problemsIn({ name: 'x', text })).toEqual([])
})
