import { createProgram } from './src/cli/program.ts'
import { reportFailure } from './src/cli/report-failure.ts'

// The command line: `npx perennial …`, and what `npm start` runs.
try {
  await createProgram().parseAsync(process.argv)
} catch (error) {
  process.exitCode = reportFailure(error)
}
