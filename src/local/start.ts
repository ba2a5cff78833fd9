import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pc from 'picocolors'
import { CliProblem } from '../cli/problem.ts'
import { readClientSettings, readLocalSettings } from '../config.ts'
import type { LocalSettings } from '../config.ts'
import { closeDataFolder, dataFolder, openDataFolder, refuseTakenFolder } from './data-folder.ts'
import type { DataFolder } from './data-folder.ts'
import { apiClient } from '../cli/api-client.ts'
import type { Api } from '../cli/api-client.ts'
import { demoInvoices, invoiceTable } from './demo/invoices.ts'
import { isLetIn } from './demo/let-in.ts'
import { playDemo } from './demo/play.ts'
import type { DemoResult } from './demo/play.ts'
import { instanceLinks, invoiceLinks } from './links.ts'
import { freePort, isPortFree } from './ports.ts'
import { terminalProgress } from './progress.ts'
import type { Progress } from './progress.ts'
import { stopRequested } from './shutdown.ts'
import { startStack } from './stack.ts'
import type { Instance, Stack } from './stack.ts'
import { verifyInvoices } from './verify.ts'

export interface StartOptions {
  readonly demo: boolean
  readonly port: number
  readonly sandboxPort: number
  readonly dataDir: string
  readonly reset: boolean
}

/** `npm start`: brings everything up, plays the demo once, and stays until it is told to stop. Returns the exit code. */
export async function start(options: StartOptions): Promise<number> {
  const settings = readLocalSettings()
  const progress = terminalProgress()
  const stopping = stopRequested()
  refuseReset(options, settings)
  const folder = dataFolder(options.dataDir)
  // Ahead of the ports: the start that runs has taken these, too, and other ports are no way around it.
  await refuseTakenFolder(folder)
  await needPort(options.port, '--port')
  if (usesSandbox(settings)) await needPort(options.sandboxPort, '--sandbox-port')
  await openDataFolder(folder, { reset: options.reset })
  try {
    const running = run({ folder, settings, progress, options })
    // A failed start after Ctrl-C is the result of the Ctrl-C, not news.
    running.catch(() => {})
    const stack = await Promise.race([running, stopping.then(() => null)])
    // Stopped while starting: our watchdogs end what runs.
    if (stack === null) return 0
    const ended = await Promise.race([stopping, stack.failed])
    progress.note(ended instanceof CliProblem ? 'Stopping, because a part ended by itself' : 'Stopping')
    await stack.stop()
    if (ended instanceof CliProblem) throw ended
    return 0
  } finally {
    await closeDataFolder(folder)
  }
}

interface Run {
  readonly folder: DataFolder
  readonly settings: LocalSettings
  readonly progress: Progress
  readonly options: StartOptions
}

async function run({ folder, settings, progress, options }: Run): Promise<Stack> {
  const stack = await startStack({
    folder,
    settings,
    progress,
    apiPort: options.port,
    sandboxPort: options.sandboxPort,
    usualPorts: true,
  })
  try {
    await showDemo({ folder, instance: stack.instance, progress, isWanted: options.demo })
  } catch (error) {
    await stack.stop()
    throw error
  }
  process.stdout.write(
    `\n${pc.bold('Perennial is running.')} Ctrl-C stops it; the data is kept in ${folder.root}.\n`,
  )
  process.stdout.write(`${instanceLinks(stack.instance)}\n`)
  return stack
}

interface Show {
  readonly folder: DataFolder
  readonly instance: Instance
  readonly progress: Progress
  readonly isWanted: boolean
}

/** Plays the demo on the first start; every start shows its invoices, as far as the API lets it in. */
async function showDemo({ folder, instance, progress, isWanted }: Show): Promise<void> {
  const before = await readDemo(folder)
  if (before.result === null && !isWanted) return
  if (!(await isLetIn(instance.apiUrl, readClientSettings().apiKey))) {
    progress.note('The demo is left out: the API asks for a key. Set PERENNIAL_API_KEY to one to see it.')
    return
  }
  const result =
    before.result ?? (await playAndKeep({ folder, instance, progress, attempt: before.attempts + 1 }))
  const invoices = await demoInvoices(
    demoApi(instance),
    result.customers.map((customer) => customer.id),
  )
  process.stdout.write(`\n${invoiceTable(invoices)}\n\n${invoiceLinks(instance, invoices)}\n`)
}

/** As any caller: with a key, where one is given. */
function demoApi(instance: Instance): Api {
  return apiClient(instance.apiUrl, readClientSettings().apiKey)
}

interface Play {
  readonly folder: DataFolder
  readonly instance: Instance
  readonly progress: Progress
  readonly attempt: number
}

async function playAndKeep({ folder, instance, progress, attempt }: Play): Promise<DemoResult> {
  await writeFile(folder.demoFile, JSON.stringify({ attempts: attempt, result: null } satisfies DemoFile))
  const result = await playDemo({
    api: demoApi(instance),
    stripeUrl: instance.stripeUrl,
    stripeApiKey: instance.stripeApiKey,
    isSandbox: instance.isSandbox,
    progress,
    // The keys of a demo that was interrupted are taken.
    suffix: attempt === 1 ? '' : `-${attempt}`,
    nowMs: Date.now(),
  })
  await writeFile(folder.demoFile, JSON.stringify({ attempts: attempt, result } satisfies DemoFile))
  return result
}

interface DemoFile {
  readonly attempts: number
  readonly result: DemoResult | null
}

async function readDemo(folder: DataFolder): Promise<DemoFile> {
  const text = await readFile(folder.demoFile, 'utf8').catch(() => null)
  return text === null ? { attempts: 0, result: null } : (JSON.parse(text) as DemoFile)
}

/** `npm start -- --check`: everything up on free ports and an empty folder, the demo, every invoice compared with Stripe. */
export async function check(): Promise<number> {
  const settings = readLocalSettings()
  const progress = terminalProgress()
  const startedMs = Date.now()
  const stopping = stopRequested()
  const folder = dataFolder(await mkdtemp(join(tmpdir(), 'perennial-check-')))
  await openDataFolder(folder, { reset: false })
  try {
    const checking = checkIn(folder, settings, progress)
    checking.catch(() => {})
    const code = await Promise.race([checking, stopping.then(() => 130)])
    progress.note(`Checked in ${Math.round((Date.now() - startedMs) / 1000)} s`)
    return code
  } finally {
    await rm(folder.root, { recursive: true, force: true })
  }
}

async function checkIn(folder: DataFolder, settings: LocalSettings, progress: Progress): Promise<number> {
  const stack = await startStack({
    folder,
    settings,
    progress,
    apiPort: await freePort(),
    sandboxPort: await freePort(),
    usualPorts: false,
  })
  const ended = stack.failed.then((problem): never => {
    throw problem
  })
  ended.catch(() => {})
  try {
    const { instance } = stack
    const work = playAndKeep({ folder, instance, progress, attempt: 1 }).then(async ({ customers }) => {
      const invoices = await demoInvoices(
        demoApi(instance),
        customers.map((customer) => customer.id),
      )
      process.stdout.write(`${invoiceTable(invoices)}\n`)
      return await progress.step(
        'Every invoice against Stripe',
        async () => await verifyInvoices(instance, customers),
      )
    })
    const { invoices, differences } = await Promise.race([work, ended])
    for (const difference of differences) process.stdout.write(`${pc.red('differs')} ${difference}\n`)
    process.stdout.write(`${invoices} invoices compared with Stripe, ${differences.length} differences\n`)
    return differences.length === 0 ? 0 : 1
  } finally {
    await stack.stop()
  }
}

function usesSandbox(settings: LocalSettings): boolean {
  return settings.stripeApiKey === undefined && settings.stripeApiBase === undefined
}

async function needPort(port: number, flag: string): Promise<void> {
  if (await isPortFree(port)) return
  throw new CliProblem({
    what: `Port ${port} is taken`,
    why: 'another program listens on it, perhaps another start of Perennial',
    next: `stop that one, or choose another port: npm start -- ${flag} ${port + 1}`,
  })
}

function refuseReset(options: StartOptions, settings: LocalSettings): void {
  if (!options.reset || settings.databaseUrl === undefined) return
  throw new CliProblem({
    what: '--reset was refused',
    why: 'DATABASE_URL names a database that was not started here, and it is not removed from here',
    next: 'empty that database yourself, or unset DATABASE_URL',
  })
}
