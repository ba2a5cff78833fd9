import { Command } from 'commander'
import { reportFailure } from '../report-failure.ts'
import { dataDirOption, parsePort } from '../options.ts'

interface Options {
  readonly demo: boolean
  readonly port: number
  readonly sandboxPort: number
  readonly dataDir: string
  readonly reset: boolean
  readonly check: boolean
}

export function startCommand(): Command {
  return new Command('start')
    .description(
      'Start PostgreSQL, Temporal, the Stripe sandbox, the worker and the API, and play the demo once',
    )
    .option('--no-demo', 'start empty')
    .option('--port <port>', 'port of the API', parsePort, 8888)
    .option('--sandbox-port <port>', 'port of the Stripe sandbox', parsePort, 12_111)
    .addOption(dataDirOption())
    .option('--reset', 'remove the data first', false)
    .option(
      '--check',
      'play the demo on free ports and an empty folder, compare every invoice with Stripe, and end',
      false,
    )
    .addHelpText(
      'after',
      `
What runs already is used instead of started:
  DATABASE_URL       PostgreSQL 15 or later
  TEMPORAL_ADDRESS   Temporal, host:port
  STRIPE_API_KEY     Stripe with a test key, instead of the sandbox`,
    )
    .action(async (options: Options) => {
      // Loaded here: the other commands need none of what a start needs.
      const { check, start } = await import('../../local/start.ts')
      // What the parts leave open (sockets, timers) must not keep a stopped start alive.
      process.exit(await (options.check ? check() : start(options)).catch(reportFailure))
    })
}
