import { Command } from 'commander'
import { migrate } from '../../db/migrate.ts'
import { withDatabase } from '../local-database.ts'
import { dataDirOption, jsonOption } from '../options.ts'
import { printData } from '../output.ts'
import type { OutputOptions } from '../output.ts'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('Bring the schema of the database up to date; several at once wait for each other')
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action(async (options: OutputOptions & { dataDir: string }) => {
      const applied = await withDatabase(
        options.dataDir,
        async (db) => await migrate(db, { onWait: (why) => process.stderr.write(`${why}\n`) }),
      )
      printData({ applied }, options, () =>
        applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`,
      )
    })
}
