import { startVitest } from 'vitest/node'

// Records the histories that test/replay holds every change of the workflows against, into the folder of a release. Only
// what that folder lacks is recorded; nothing is ever recorded again to make a replay pass: what sleeps in production was
// started by the code before.
const [release, ...only] = process.argv.slice(2)
if (release === undefined)
  throw new Error('usage: npx tsx scripts/record-histories.ts <release, e.g. 0.2.0> [names]')

const provide = { release, only }
const vitest = await startVitest('test', [], { include: ['test/replay/record.ts'], watch: false, provide })
await vitest.close()
