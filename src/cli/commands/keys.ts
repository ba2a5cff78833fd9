import { Command, InvalidArgumentError, Option } from 'commander'
import { ulid } from 'ulid'
import {
  anyApiKeyExists,
  apiKeyScopes,
  generateApiKey,
  insertApiKey,
  listApiKeys,
  revokeApiKey,
} from '../../db/stores/api-keys.ts'
import type { ApiKeyScope } from '../../db/stores/api-keys.ts'
import { withDatabase } from '../local-database.ts'
import { dataDirOption, jsonOption } from '../options.ts'
import { printData, say, textFields, textTable } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { CliProblem } from '../problem.ts'

interface Options extends OutputOptions {
  readonly dataDir: string
}

/** Keys are made where the database is: until one exists, the API is open to this machine and to it alone. */
export function keysCommand(): Command {
  const keys = new Command('keys').description('API keys; from the first one on, every call needs one')
  keys
    .command('create <name>')
    .description('Create a key and print it; it is not shown again')
    .addOption(
      new Option('--scope <scopes>', `comma-separated: ${apiKeyScopes.join(', ')}`)
        .argParser(parseScopes)
        .default(['admin'], 'admin'),
    )
    .option('--unless-any', 'do nothing where a key exists already, for scripts that run again', false)
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action(create)
  keys
    .command('list')
    .description('List keys, by their first characters')
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action(list)
  keys
    .command('revoke <id>')
    .description('Revoke a key: calls with it are refused from now on')
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action(revoke)
  return keys
}

function parseScopes(text: string): readonly ApiKeyScope[] {
  return text.split(',').map((part) => {
    const scope = apiKeyScopes.find((one) => one === part.trim())
    if (scope === undefined)
      throw new InvalidArgumentError(`"${part}" is not one of ${apiKeyScopes.join(', ')}`)
    return scope
  })
}

async function create(
  name: string,
  options: Options & { scope: readonly ApiKeyScope[]; unlessAny: boolean },
): Promise<void> {
  if (options.unlessAny && (await withDatabase(options.dataDir, anyApiKeyExists))) {
    say('A key exists already; none was made.')
    return
  }
  const key = generateApiKey()
  const row = await withDatabase(
    options.dataDir,
    async (db) => await insertApiKey(db, { id: ulid(), name, key, scopes: options.scope }),
  )
  printData({ ...row, key }, options, () =>
    textFields([
      ['id', row.id],
      ['scopes', row.scopes.join(', ')],
      ['key', key],
    ]),
  )
  say(
    'Keep it now: only its hash is stored. Send it as "Authorization: Bearer <key>", or set PERENNIAL_API_KEY.',
  )
}

async function list(options: Options): Promise<void> {
  const rows = await withDatabase(options.dataDir, listApiKeys)
  const cells = rows.map((key) => [
    key.id,
    key.name,
    key.keyMask,
    key.scopes.join(','),
    day(key.lastUsedAt),
    day(key.revokedAt),
  ])
  printData(rows, options, () => textTable(['id', 'name', 'key', 'scopes', 'last used', 'revoked'], cells))
}

async function revoke(id: string, options: Options): Promise<void> {
  const row = await withDatabase(options.dataDir, async (db) => await revokeApiKey(db, id, new Date()))
  if (row === null) {
    throw new CliProblem({
      what: `There is no key ${id}`,
      why: 'no key has this id',
      next: 'perennial keys list shows the ids',
    })
  }
  printData(row, options, () =>
    textFields([
      ['id', row.id],
      ['revoked', row.revokedAt?.toISOString()],
    ]),
  )
}

function day(instant: Date | null): string {
  return instant?.toISOString() ?? ''
}
