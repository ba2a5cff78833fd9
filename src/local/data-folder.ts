import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { CliProblem } from '../cli/problem.ts'
import { recordedProcess, writeProcessRecord } from './process-record.ts'

/** Where everything local lives: `.perennial/` unless --data-dir says otherwise. */
export interface DataFolder {
  readonly root: string
  readonly postgres: string
  readonly temporal: string
  readonly sandboxFile: string
  readonly logs: string
  readonly records: string
  readonly demoFile: string
  /** What a running start can be asked for: addresses of its parts. */
  readonly instanceFile: string
}

/** Says that a folder is ours, so that --reset never removes another. */
const markerName = 'perennial-data'
const keyName = 'master-key'

export function dataFolder(path: string): DataFolder {
  const root = resolve(path)
  return {
    root,
    postgres: join(root, 'postgres'),
    temporal: join(root, 'temporal'),
    sandboxFile: join(root, 'sandbox.jsonl'),
    logs: join(root, 'logs'),
    records: join(root, 'run'),
    demoFile: join(root, 'demo.json'),
    instanceFile: join(root, 'instance.json'),
  }
}

/** Throws where another start has taken the folder: two on one folder would fight over the data. */
export async function refuseTakenFolder(folder: DataFolder): Promise<void> {
  const other = await recordedProcess(lockOf(folder))
  if (other === null || other === process.pid) return
  throw new CliProblem({
    what: 'Perennial runs already',
    why: `process ${other} has taken ${folder.root}`,
    next: 'use that one (npx perennial status says where), stop it with Ctrl-C in its terminal, or give this start its own --data-dir, --port and --sandbox-port',
  })
}

/** Creates the folder, and takes it for this process. */
export async function openDataFolder(
  folder: DataFolder,
  options: { readonly reset: boolean },
): Promise<void> {
  await refuseTakenFolder(folder)
  if (options.reset) await resetDataFolder(folder)
  await makeFolders(folder)
  await writeProcessRecord(lockOf(folder), process.pid)
}

function lockOf(folder: DataFolder): string {
  return join(folder.records, 'start.pid.json')
}

async function makeFolders(folder: DataFolder): Promise<void> {
  try {
    await makeFolder(folder.records)
    await makeFolder(folder.logs)
    await writeFile(
      join(folder.root, markerName),
      'Data of a local Perennial. npm start -- --reset removes it.\n',
    )
  } catch (error) {
    throw new CliProblem(
      {
        what: `${folder.root} cannot hold the data`,
        why: error instanceof Error ? error.message : String(error),
        next: 'name a folder that can be written with --data-dir',
      },
      error,
    )
  }
}

/** With those that it lies in. Node's own (`recursive`) never ends where there is a folder in which none can be made (/proc). */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error
    await makeFolder(dirname(path))
    await mkdir(path)
  }
}

/** Lets the folder go. */
export async function closeDataFolder(folder: DataFolder): Promise<void> {
  await rm(folder.instanceFile, { force: true })
  await rm(lockOf(folder), { force: true })
}

async function resetDataFolder(folder: DataFolder): Promise<void> {
  const entries: readonly string[] = await readdir(folder.root).catch(() => [])
  if (entries.length > 0 && !entries.includes(markerName)) {
    throw new CliProblem({
      what: `${folder.root} was not removed`,
      why: 'it holds files and none of them says that the folder is ours',
      next: 'name the right folder with --data-dir, or remove this one by hand',
    })
  }
  await rm(folder.root, { recursive: true, force: true })
}

/** The key that seals stored secrets, made on the first start; only its owner can read it. */
export async function localMasterKey(folder: DataFolder): Promise<string> {
  const existing = await existingMasterKey(folder)
  if (existing !== null) return existing
  const key = randomBytes(32).toString('hex')
  await writeFile(join(folder.root, keyName), `${key}\n`, { mode: 0o600 })
  return key
}

/** The key of an earlier start; null when there was none. */
export async function existingMasterKey(folder: DataFolder): Promise<string | null> {
  const text = await readFile(join(folder.root, keyName), 'utf8').catch(() => '')
  return text.trim() === '' ? null : text.trim()
}
