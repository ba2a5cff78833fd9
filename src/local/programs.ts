import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, link, readdir, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { recordedProcess, writeProcessRecord } from './process-record.ts'

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

/** What an installer that was killed left; its lock says that nobody works in these now. */
export async function removeDrafts(folder: string): Promise<void> {
  const drafts = (await readdir(folder)).filter((name) => /^(build|download)-/.test(name))
  await Promise.all(
    drafts.map(async (name) => await rm(join(folder, name), { recursive: true, force: true })),
  )
}

export async function findOnPath(name: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name)
  }
  return null
}

export async function findGo(env: NodeJS.ProcessEnv): Promise<string | null> {
  const usual = '/usr/local/go/bin/go'
  return (await findOnPath('go', env)) ?? ((await isExecutable(usual)) ? usual : null)
}

export async function isExecutable(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

export interface RunOptions {
  readonly env: NodeJS.ProcessEnv
  readonly timeoutMs: number
}

/** Runs a program to its end; where it fails, the reason is the last it printed. Never rejects. */
export async function runToEnd(
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
export async function withInstallLock<T>(
  folder: string,
  say: (message: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const file = join(folder, 'install.lock')
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
