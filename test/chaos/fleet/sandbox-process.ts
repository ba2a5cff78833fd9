import { startSandbox } from '../../../src/sandbox/server.ts'

// Stripe as a process of its own, which is never killed: Stripe does not lose what it acknowledged.
const log = (message: string): void => void process.stdout.write(`${message}\n`)
const { port } = await startSandbox({ port: 0, log })
process.send?.({ port })
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
