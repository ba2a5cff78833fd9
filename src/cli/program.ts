import { Command } from 'commander'
import { version } from '../version.ts'
import { clockCommand } from './commands/clock.ts'
import { customersCommand } from './commands/customers.ts'
import { doctorCommand } from './commands/doctor.ts'
import { ingestCommand } from './commands/ingest.ts'
import { invoicesCommand } from './commands/invoices.ts'
import { keysCommand } from './commands/keys.ts'
import { migrateCommand } from './commands/migrate.ts'
import { reconcileCommand } from './commands/reconcile.ts'
import { secretsCommand } from './commands/secrets.ts'
import { startCommand } from './commands/start.ts'
import { statusCommand } from './commands/status.ts'
import { subscriptionsCommand } from './commands/subscriptions.ts'
import { usageCommand } from './commands/usage.ts'
import { workflowsCommand } from './commands/workflows.ts'

/** The command line: a table of contents. */
export function createProgram(): Command {
  const program = new Command('perennial')
    .version(version)
    .description('Usage-based billing that survives anything.')
    .configureHelp({ showGlobalOptions: true })
    .addCommand(startCommand())
    .addCommand(ingestCommand())
    .addCommand(clockCommand())
    .addCommand(invoicesCommand())
    .addCommand(subscriptionsCommand())
    .addCommand(customersCommand())
    .addCommand(keysCommand())
    .addCommand(secretsCommand())
    .addCommand(migrateCommand())
    .addCommand(reconcileCommand())
    .addCommand(workflowsCommand())
    .addCommand(usageCommand())
    .addCommand(doctorCommand())
    .addCommand(statusCommand())
    .addHelpText(
      'after',
      '\nCommands that read take --json. Data goes to stdout, everything else to stderr; NO_COLOR is respected.',
    )
  hintAtHelp(program)
  return program
}

/** A command that is added whole inherits nothing of the one above it. */
function hintAtHelp(command: Command): void {
  command.showHelpAfterError('(--help shows what there is)')
  for (const under of command.commands) hintAtHelp(under)
}
