/** Writes src/db/types.gen.ts from the migrations, on a throw-away PostgreSQL. Run after every new migration. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '../src/db/connection.ts'
import { migrate } from '../src/db/migrate.ts'

const url = process.env['DATABASE_URL']
if (url === undefined) throw new Error('set DATABASE_URL to an empty database')
const db = openDatabase({ connectionString: url, maxConnections: 2 })
await migrate(db)
await db.destroy()
const out = fileURLToPath(new URL('../src/db/types.gen.ts', import.meta.url))
execFileSync(
  'npx',
  [
    'kysely-codegen',
    '--url',
    url,
    '--out-file',
    out,
    '--camel-case',
    '--numeric-parser',
    'string',
    '--dialect',
    'postgres',
    '--exclude-pattern',
    '*(kysely_*|event_identities_*)',
  ],
  { stdio: 'inherit' },
)
