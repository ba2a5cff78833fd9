import { Command, Option } from 'commander'
import pc from 'picocolors'
import { readLocalSettings } from '../../config.ts'
import { dataFolder, existingMasterKey } from '../../local/data-folder.ts'
import type { CheckResult, CheckTargets } from '../doctor-checks.ts'
import { dataDirOption, jsonOption } from '../options.ts'
import { printData } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { localInstance } from '../target.ts'

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Check every part of an installation; each failing one says what to do next')
    .option('--url <url>', 'address of the API')
    .addOption(new Option('--only <part>', 'check this part alone').choices(['worker']))
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action(async (options: OutputOptions & { url?: string; only?: 'worker'; dataDir: string }) => {
      // Loaded here: the other commands need neither Temporal's client nor Stripe's.
      const { checkWorker, runChecks } = await import('../doctor-checks.ts')
      const check = options.only === 'worker' ? checkWorker : runChecks
      const results = await check(await targetsOf(options))
      printData({ ok: results.every((result) => result.ok), checks: results }, options, () =>
        describe(results),
      )
      if (results.some((result) => !result.ok)) process.exitCode = 1
    })
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
    masterKey: settings.masterKey ?? (await existingMasterKey(dataFolder(options.dataDir))),
  }
}

function describe(results: readonly CheckResult[]): string {
  const width = Math.max(...results.map((result) => result.name.length)) + 2
  return results
    .map((result) => {
      const line = `${result.ok ? pc.green('ok  ') : pc.red('fail')}  ${result.name.padEnd(width)}${result.detail}`
      return result.next === undefined
        ? line
        : `${line}\n      ${' '.repeat(width)}${pc.bold('Next:')} ${result.next}`
    })
    .join('\n')
}
