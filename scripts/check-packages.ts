import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/**
 * What we depend on: licences that an Apache-2.0 product may ship, and no known hole of severity high or worse. The
 * holes are known to the registry only: where it does not answer, that is said and is no failure.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
const AUDIT_TIMEOUT_MS = 30_000

const allowed = new Set([
  'MIT',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'Apache-2.0 AND MIT',
  'BlueOak-1.0.0',
  'Unlicense',
  // Data of browsers, read by a tool that builds the workflow bundle.
  'CC-BY-4.0',
])

/** Packages that say it in a file only. */
const read = new Map([['node_modules/unionfs', 'Unlicense']])

interface LockedPackage {
  readonly dev?: boolean
  readonly optional?: boolean
  readonly license?: string
}

/** Of the package itself, where it is installed: the lockfile repeats what the registry said. */
async function licenceOf(path: string, locked: LockedPackage): Promise<string | null> {
  try {
    const text = await readFile(`${root}${path}/package.json`, 'utf8')
    const { license } = JSON.parse(text) as { readonly license?: string | { readonly type: string } }
    return (typeof license === 'object' ? license.type : license) ?? locked.license ?? null
  } catch {
    return locked.license ?? null
  }
}

async function checkLicences(): Promise<readonly string[]> {
  const lockfile = JSON.parse(await readFile(`${root}package-lock.json`, 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>
  }
  const shipped = Object.entries(lockfile.packages).filter(([path, { dev }]) => path !== '' && dev !== true)
  const problems: string[] = []
  let checked = 0
  for (const [path, locked] of shipped) {
    const licence = (await licenceOf(path, locked)) ?? read.get(path) ?? null
    // Binaries of other platforms are not installed and say nothing; that of this one is.
    if (licence === null && locked.optional === true) continue
    checked += 1
    if (licence === null || !allowed.has(licence)) problems.push(`${path}: ${licence ?? 'no licence'}`)
  }
  if (checked === 0) problems.push('no package was found: is package-lock.json there?')
  console.log(`licences: ${checked} packages, ${problems.length} not on the list`)
  return problems
}

interface Audit {
  readonly metadata?: { readonly vulnerabilities?: Readonly<Record<string, number>> }
}

async function checkHoles(): Promise<readonly string[]> {
  const output = await new Promise<string>((resolve) => {
    const args = ['audit', '--omit=dev', '--json']
    execFile('npm', args, { cwd: root, timeout: AUDIT_TIMEOUT_MS }, (_error, stdout) => resolve(stdout))
  })
  const found = parseAudit(output)?.metadata?.vulnerabilities
  if (found === undefined) {
    console.log('npm audit: not checked, the registry does not answer')
    return []
  }
  const severe = (found['high'] ?? 0) + (found['critical'] ?? 0)
  console.log(`npm audit: ${found['total'] ?? 0} known, ${severe} of them high or critical`)
  return severe === 0 ? [] : ['npm audit --omit=dev names holes of severity high or critical']
}

function parseAudit(output: string): Audit | null {
  try {
    return JSON.parse(output) as Audit
  } catch {
    return null
  }
}

const problems = [...(await checkLicences()), ...(await checkHoles())]
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1
