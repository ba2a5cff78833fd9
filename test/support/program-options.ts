import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'

/** The options of a program of ours; what it does not know ends it with a line and exit code 2, before anything is started. */
export function programOptions<const Options extends NonNullable<ParseArgsConfig['options']>>(
  options: Options,
) {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    if (!isAboutArguments(error)) throw error
    // The rest tells how to give arguments that none of them takes.
    const [problem] = error.message.split(/\.?\n|\. /)
    process.stderr.write(`${problem}; --help shows what there is\n`)
    process.exit(2)
  }
}

function isAboutArguments(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
}
