import { Command, Option } from 'commander'
import pc from 'picocolors'
import { readLocalSettings } from '../../config.ts'
import { dataFolder, existingMasterKey } from '../../local/data-folder.ts'
import type { CheckResult, CheckTargets } from '../doctor-checks.ts'
import { localInstance, targetApi } from '../target.ts'
import { dataDirOption, jsonOption } from '../options.ts'
import { printData } from '../output.ts'
import type { OutputOptions } from '../output.ts'

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Check every part of an installation; each failing one says what to do next')
    .addOption(new Option('--url <url>', 'address of the API').env('PERENNIAL_URL'))
    .addOption(new Option('--api-key <key>', 'API key, where keys exist').env('PERENNIAL_API_KEY'))
    .option(
      '--repair',
      'mend webhook endpoints that are gone, disabled, at another address, or send too little or too much',
    )
    .addOption(new Option('--only <part>', 'check this part alone').choices(['worker']))
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action(async (options: DoctorOptions) => {
      // Loaded here: the other commands need neither Temporal's client nor Stripe's.
      const { checkWorker, runChecks } = await import('../doctor-checks.ts')
      const check = options.only === 'worker' ? checkWorker : runChecks
      const targets = await targetsOf(options)
      const first = await check(targets)
      const repaired = options.repair === true ? await repair(first, { ...options, url: targets.apiUrl }) : []
      const results = repaired.length > 0 ? await check(targets) : first
      const isOk = results.every((result) => result.ok)
      printData({ ok: isOk, checks: results, repaired }, options, () => describe(results))
      if (results.some((result) => !result.ok)) process.exitCode = 1
    })
}

type DoctorOptions = OutputOptions & {
  readonly url?: string
  readonly apiKey?: string
  readonly repair?: boolean
  readonly only?: 'worker'
  readonly dataDir: string
}

/** Mends what can be mended over the API; the ids of the apps. */
async function repair(results: readonly CheckResult[], options: DoctorOptions): Promise<readonly string[]> {
  const broken = results.filter(
    ({ ok, degraded, isRepairable }) => isRepairable === true && (!ok || degraded !== undefined),
  )
  const apps = broken.flatMap(({ appId }) => (appId === undefined ? [] : [appId]))
  const api = targetApi(options)
  for (const id of apps) await api.post(`/api/v1/apps/${id}/stripe/webhook/repair`)
  return apps
}

async function targetsOf(options: {
  readonly url?: string
  readonly dataDir: string
}): Promise<CheckTargets> {
  const settings = readLocalSettings()
  const instance = localInstance(options.dataDir)
  return {
    databaseUrl: settings.databaseUrl ?? instance?.databaseUrl ?? null,
    temporal: {
      address: settings.temporalAddress ?? instance?.temporalAddress ?? '127.0.0.1:7233',
      namespace: settings.temporalNamespace,
      taskQueue: settings.temporalTaskQueue,
    },
    apiUrl: options.url ?? instance?.apiUrl ?? 'http://127.0.0.1:8888',
    stripeBaseUrl: settings.stripeApiBase ?? (instance?.isSandbox === true ? instance.stripeUrl : undefined),
    publicUrl: settings.publicUrl ?? instance?.apiUrl ?? null,
    previousMasterKey: settings.previousMasterKey ?? null,
    masterKey: settings.masterKey ?? (await existingMasterKey(dataFolder(options.dataDir))),
  }
}

function describe(results: readonly CheckResult[]): string {
  const width = Math.max(...results.map((result) => result.name.length)) + 2
  return results
    .map((result) => {
      const sign = !result.ok ? pc.red('fail') : result.degraded ? pc.yellow('less') : pc.green('ok  ')
      const below = (text: string): string => `      ${' '.repeat(width)}${text}`
      return [
        `${sign}  ${result.name.padEnd(width)}${result.detail}`,
        ...(result.degraded ?? []).map((what) => below(`without ${what}`)),
        ...(result.next === undefined ? [] : [below(`${pc.bold('Next:')} ${result.next}`)]),
      ].join('\n')
    })
    .join('\n')
}
