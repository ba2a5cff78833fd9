import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { dirname } from 'node:path'

/** PostgreSQL refuses to run as root; everybody else runs it as themselves. */
export interface RunAs {
  /** Owns the data; undefined: ourselves. */
  readonly account?: Account
  /** Given to spawn; undefined where the prefix changes the user. */
  readonly ids?: Account
  /** Put before the command. */
  readonly prefix: readonly string[]
}

export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Decides whom to run PostgreSQL as; `paths` are what that user has to reach. */
export function postgresUser(dataFolder: string, paths: readonly string[]): RunAs {
  if (process.getuid?.() !== 0) return { prefix: [] }
  const account = ownerOf(dataFolder) ??
    accountOf('postgres') ??
    accountOf('nobody') ?? { uid: 65_534, gid: 65_534 }
  const { uid, gid } = account
  if (paths.every((path) => isReachable(path, uid, gid))) return { account, ids: account, prefix: [] }
  // A checkout below a closed folder (/root, mktemp -d): keep the right to pass it, and nothing else of root's.
  const capability = '+dac_override'
  const switches = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    `--inh-caps=${capability}`,
    `--ambient-caps=${capability}`,
  ]
  return { account, prefix: ['setpriv', ...switches, '--'] }
}

function ownerOf(folder: string): Account | null {
  const stat = statSync(folder, { throwIfNoEntry: false })
  return stat === undefined || stat.uid === 0 ? null : { uid: stat.uid, gid: stat.gid }
}

function accountOf(name: string): Account | null {
  try {
    const number = (flag: string): number =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
    return { uid: number('-u'), gid: number('-g') }
  } catch {
    return null
  }
}

function isReachable(path: string, uid: number, gid: number): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const stat = statSync(folder, { throwIfNoEntry: false })
    if (stat !== undefined) {
      const bit = stat.uid === uid ? 0o100 : stat.gid === gid ? 0o010 : 0o001
      if ((stat.mode & bit) === 0) return false
    }
    if (folder === dirname(folder)) return true
  }
}
