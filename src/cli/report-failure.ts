import pc from 'picocolors'
import { ConfigError } from '../config.ts'
import { CliProblem } from './problem.ts'

/** Prints a failure to stderr, as what, why and next where it is one of ours. Returns the exit code. */
export function reportFailure(error: unknown): number {
  process.stderr.write(`${describe(error)}\n`)
  return 1
}

function describe(error: unknown): string {
  if (error instanceof CliProblem) return block(error.what, error.why, error.next)
  if (error instanceof ConfigError) {
    return block(
      'The environment is not as it has to be',
      error.problems.join('\n'),
      'set or correct these variables, and run the command again',
    )
  }
  // A defect of ours: the stack is what helps.
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function block(what: string, why: string, next: string): string {
  const indented = why.split('\n').join('\n  ')
  return `\n${pc.red(pc.bold(what))}\n  ${indented}\n${pc.bold('Next:')} ${next}`
}
