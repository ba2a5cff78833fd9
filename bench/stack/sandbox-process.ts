import { startSandbox } from '../../src/sandbox/server.ts'

// The sandbox as a process of its own, so that its CPU time is not taken for somebody else's. Argument: the port.
const sandbox = await startSandbox({ port: Number(process.argv[2]) })
process.once('SIGTERM', () => void sandbox.close().then(() => process.exit()))
