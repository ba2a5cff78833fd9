import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, link, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CliProblem } from '../cli/problem.ts'
import { recordedProcess, writeProcessRecord } from './process-record.ts'

/** Later versions of this module have replace directives, which `go install` refuses. */
const goModule = 'github.com/temporalio/cli/cmd/temporal@v1.5.1'
const downloadTimeoutMs = 90_000
/** Five minutes on two idle cores; a busy machine takes several times that. */
const buildTimeoutMs = 2_700_000

export interface FindOptions {
  /** Told what takes long. */
  readonly onProgress?: (message: string) => void
  readonly env?: NodeJS.ProcessEnv
}

/** Where programs are kept from clone to clone, outside of the project. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['XDG_CACHE_HOME']
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'perennial')
}

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
  return await withLock(
    join(folder, 'install.lock'),
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

/** What an installer that was killed left; the lock says that nobody works in these now. */
async function removeDrafts(folder: string): Promise<void> {
  const drafts = (await readdir(folder)).filter((name) => /^(build|download)-/.test(name))
  await Promise.all(
    drafts.map(async (name) => await rm(join(folder, name), { recursive: true, force: true })),
  )
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

async function findOnPath(name: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name)
  }
  return null
}

async function findGo(env: NodeJS.ProcessEnv): Promise<string | null> {
  const usual = '/usr/local/go/bin/go'
  return (await findOnPath('go', env)) ?? ((await isExecutable(usual)) ? usual : null)
}

async function isExecutable(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

interface RunOptions {
  readonly env: NodeJS.ProcessEnv
  readonly timeoutMs: number
}

async function runToEnd(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<{ ok: boolean; reason: string }> {
  return await new Promise((resolve) => {
    const child = spawn(command, args, { env: options.env, stdio: ['ignore', 'pipe', 'pipe'] })
    let printed = ''
    const collect = (chunk: Buffer): void => {
      printed = (printed + chunk.toString()).slice(-2_000)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    const timer = setTimeout(() => {
      printed += `\nno result after ${options.timeoutMs / 1000} s`
      child.kill('SIGKILL')
    }, options.timeoutMs)
    child.once('error', (error) => resolve({ ok: false, reason: error.message }))
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ ok: code === 0, reason: printed.trim().split('\n').slice(-3).join(' ') })
    })
  })
}

/** One installer at a time; the lock of a process that is gone does not count. */
async function withLock<T>(file: string, say: (message: string) => void, work: () => Promise<T>): Promise<T> {
  for (let waited = 0; ; waited += 1) {
    const holder = await recordedProcess(file)
    if (holder === null && (await takeLock(file))) break
    if (waited === 1) say('Temporal: another start of Perennial is installing it; waiting for that')
    await delay(500)
  }
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

async function takeLock(file: string): Promise<boolean> {
  const draft = `${file}.${process.pid}`
  await rm(file, { force: true })
  await writeProcessRecord(draft, process.pid)
  try {
    await link(draft, file)
    return true
  } catch {
    return false
  } finally {
    await rm(draft, { force: true })
  }
}
