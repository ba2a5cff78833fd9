import { Command } from 'commander'
import { instanceLinks } from '../../local/links.ts'
import { dataDirOption, jsonOption } from '../options.ts'
import { printData } from '../output.ts'
import type { OutputOptions } from '../output.ts'
import { CliProblem } from '../problem.ts'
import { localInstance } from '../target.ts'

export function statusCommand(): Command {
  return new Command('status')
    .description('Where the parts of the running npm start are')
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action((options: OutputOptions & { dataDir: string }) => {
      const instance = localInstance(options.dataDir)
      if (instance === null) {
        throw new CliProblem({
          what: 'Perennial is not running here',
          why: `no start has written its addresses into ${options.dataDir}`,
          next: 'npm start, or name the folder of a running one with --data-dir',
        })
      }
      // The database's address carries its password and the Stripe key is one.
      const { databaseUrl: _databaseUrl, stripeApiKey: _stripeApiKey, ...shown } = instance
      printData(shown, options, () => instanceLinks(instance))
    })
}
