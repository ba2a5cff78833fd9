import { startVitest } from 'vitest/node'

// Records the histories that test/replay holds every change of the workflows against. Run it when the workflows have a
// new path to record, never to make a replay pass: what sleeps in production was started by the code before.
const vitest = await startVitest('test', [], { include: ['test/replay/record.ts'], watch: false })
await vitest.close()
