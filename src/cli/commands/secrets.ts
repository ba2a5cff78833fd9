import { Command } from 'commander'
import { readLocalSettings } from '../../config.ts'
import { dataFolder, existingMasterKey } from '../../local/data-folder.ts'
import { createStripeGateway } from '../../stripe/gateway.ts'
import { withDatabase } from '../local-database.ts'
import { dataDirOption, jsonOption } from '../options.ts'
import { printData, textFields } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { CliProblem } from '../problem.ts'
import { resealSecrets } from '../reseal-secrets.ts'

interface Options extends OutputOptions {
  readonly dataDir: string
}

export function secretsCommand(): Command {
  const secrets = new Command('secrets').description('Seal the stored secrets of installed apps anew')
  secrets
    .command('reseal')
    .description('Seal every stored secret under PERENNIAL_MASTER_KEY; safe to stop and to repeat')
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action(reseal)
  return secrets
}

async function reseal(options: Options): Promise<void> {
  const settings = readLocalSettings()
  const masterKey = settings.masterKey ?? (await existingMasterKey(dataFolder(options.dataDir)))
  if (masterKey === null) {
    throw new CliProblem({
      what: 'There is no master key to seal with',
      why: 'PERENNIAL_MASTER_KEY is not set',
      next: 'set it to the new key, and PERENNIAL_MASTER_KEY_PREVIOUS to the key of before',
    })
  }
  const { previousMasterKey } = settings
  const gateway = createStripeGateway({
    masterKey,
    ...(previousMasterKey !== undefined && { previousMasterKey }),
  })
  const report = await withDatabase(options.dataDir, async (db) => await resealSecrets(db, gateway))
  printData(report, options, () =>
    textFields([
      ['sealed anew', String(report.resealed)],
      ['under this key before', String(report.present)],
      ['not readable', report.unreadable.map(({ appId, field }) => `${field} of ${appId}`).join(', ')],
    ]),
  )
  if (report.unreadable.length === 0) return
  throw new CliProblem({
    what: `${report.unreadable.length} secrets open with neither key`,
    why: 'they were sealed under another master key, or are damaged',
    next: 'run it again with that key as PERENNIAL_MASTER_KEY_PREVIOUS, or set the Stripe keys of these apps anew',
  })
}
