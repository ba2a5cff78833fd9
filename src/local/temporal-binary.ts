import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CliProblem } from '../cli/problem.ts'
import {
  cacheFolder,
  findGo,
  findOnPath,
  isExecutable,
  removeDrafts,
  runToEnd,
  withInstallLock,
} from './programs.ts'
import type { FindOptions } from './programs.ts'

/** Later versions of this module have replace directives, which `go install` refuses. */
const goModule = 'github.com/temporalio/cli/cmd/temporal@v1.5.1'
const downloadTimeoutMs = 90_000
/** Five minutes on two idle cores; a busy machine takes several times that. */
const buildTimeoutMs = 2_700_000

/** Finds or fetches Temporal's dev server: on PATH, in our cache, by the SDK's own download, else built with Go. */
export async function temporalBinary(options: FindOptions = {}): Promise<string> {
  const env = options.env ?? process.env
  const say = options.onProgress ?? ((): void => {})
  const onPath = await findOnPath('temporal', env)
  if (onPath !== null) return onPath
  const folder = join(cacheFolder(env), 'temporal')
  const cached = await findCached(folder)
  if (cached !== null) return cached
  await mkdir(folder, { recursive: true })
  return await withInstallLock(
    folder,
    say,
    async () => (await findCached(folder)) ?? (await install(folder, { env, say })),
  )
}

interface Install {
  readonly env: NodeJS.ProcessEnv
  readonly say: (message: string) => void
}

async function install(folder: string, { env, say }: Install): Promise<string> {
  await removeDrafts(folder)
  say("Temporal: downloading the dev server (the SDK's own download)")
  const downloaded = await download(folder, env)
  if (downloaded.path !== null) return downloaded.path
  const go = await findGo(env)
  if (go === null) {
    throw new CliProblem({
      what: 'Temporal cannot be started',
      why: `its dev server could not be downloaded (${downloaded.reason}) and Go is not there to build it`,
      next: 'install the Temporal CLI (https://docs.temporal.io/cli) so that `temporal` is on PATH, or set TEMPORAL_ADDRESS',
    })
  }
  say('Temporal: the download is not reachable; building it with Go, about five minutes, once')
  return await build(go, folder, env)
}

/** The SDK downloads inside its native part, which cannot be interrupted: it gets a process of its own and a limit. */
async function download(
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<{ path: string | null; reason: string }> {
  const draft = await mkdtemp(join(folder, 'download-'))
  try {
    const script = fileURLToPath(new URL('temporal-download.mjs', import.meta.url))
    const result = await runToEnd(process.execPath, [script, draft], { env, timeoutMs: downloadTimeoutMs })
    const name = result.ok ? (await readdir(draft)).find((file) => file.startsWith('temporal')) : undefined
    if (name === undefined) return { path: null, reason: result.reason }
    return { path: await keep(join(draft, name), folder), reason: '' }
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function build(go: string, folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const draft = await mkdtemp(join(folder, 'build-'))
  try {
    // The user's own settings for modules and toolchains stay in force; only the target folder is ours.
    const result = await runToEnd(go, ['install', goModule], {
      env: { ...env, GOBIN: draft },
      timeoutMs: buildTimeoutMs,
    })
    if (!result.ok) {
      throw new CliProblem({
        what: 'Temporal could not be built',
        why: result.reason,
        next: `run "go install ${goModule}" by hand and put the program on PATH, or set TEMPORAL_ADDRESS`,
      })
    }
    return await keep(join(draft, 'temporal'), folder)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** A rename is atomic: nobody sees half a program. */
async function keep(file: string, folder: string): Promise<string> {
  const target = join(folder, 'temporal')
  await rename(file, target)
  return target
}

async function findCached(folder: string): Promise<string | null> {
  const file = join(folder, 'temporal')
  return (await isExecutable(file)) ? file : null
}
