import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CliProblem } from '../cli/problem.ts'
import { cacheFolder, findGo, isExecutable, removeDrafts, runToEnd, withInstallLock } from './programs.ts'
import type { FindOptions } from './programs.ts'

/** The version that docker-compose.yml runs. */
const goModule = 'go.temporal.io/server'
const goVersion = 'v1.29.1'
const buildTimeoutMs = 2_700_000

/** Temporal's server as it runs in production, and the tool that makes its tables. */
export interface TemporalServerBinaries {
  readonly server: string
  readonly sql: string
}

/** Finds both in the given folder or our cache, or builds them with Go: once, some five minutes. Errors: CliProblem. */
export async function temporalServerBinaries(
  options: FindOptions & { readonly folder?: string | undefined } = {},
): Promise<TemporalServerBinaries> {
  const env = options.env ?? process.env
  if (options.folder !== undefined) return (await findIn(options.folder)) ?? missing(options.folder)
  const folder = join(cacheFolder(env), 'temporal-server')
  const cached = await findIn(folder)
  if (cached !== null) return cached
  await mkdir(folder, { recursive: true })
  const say = options.onProgress ?? ((): void => {})
  return await withInstallLock(folder, say, async () => {
    await removeDrafts(folder)
    const built = await findIn(folder)
    if (built !== null) return built
    say('Temporal: building the server with Go, about five minutes, once')
    return await build(folder, env)
  })
}

async function findIn(folder: string): Promise<TemporalServerBinaries | null> {
  const found = { server: join(folder, 'server'), sql: join(folder, 'sql') }
  return (await isExecutable(found.server)) && (await isExecutable(found.sql)) ? found : null
}

function missing(folder: string): never {
  throw new CliProblem({
    what: "Temporal's server cannot be started",
    why: `${folder} has no programs called server and sql`,
    next: `build ${packages.join(' and ')} into it`,
  })
}

const packages = ['cmd/tools/sql', 'cmd/server'].map((path) => `${goModule}/${path}@${goVersion}`)

async function build(folder: string, env: NodeJS.ProcessEnv): Promise<TemporalServerBinaries> {
  const go = await findGo(env)
  const draft = await mkdtemp(join(folder, 'build-'))
  try {
    const result =
      go === null
        ? { ok: false, reason: 'Go is not there to build it' }
        : await runToEnd(go, ['install', ...packages], {
            env: { ...env, GOBIN: draft },
            timeoutMs: buildTimeoutMs,
          })
    if (!result.ok) {
      throw new CliProblem({
        what: "Temporal's server could not be built",
        why: result.reason,
        next: `run "go install ${packages.join(' ')}" by hand and name the folder`,
      })
    }
    // The server last: who finds it finds both.
    await rename(join(draft, 'sql'), join(folder, 'sql'))
    await rename(join(draft, 'server'), join(folder, 'server'))
    return { server: join(folder, 'server'), sql: join(folder, 'sql') }
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}
