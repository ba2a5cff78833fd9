import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below what systems give out by themselves, which is whatever connects, or listens on any port. */
const FIRST_PORT = 20_000
const LAST_PORT = 31_999

/**
 * A port of the loopback interface that nothing listens on at this moment. Not one that the system chose: it could choose it
 * again, for somebody else, before the process that it is for has started, or is back.
 */
export async function freePort(): Promise<number> {
  for (let left = LAST_PORT - FIRST_PORT; left > 0; left -= 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1)
    if (await isPortFree(port)) return port
  }
  throw new Error(`no port from ${FIRST_PORT} to ${LAST_PORT} is free`)
}

/** Whether something could listen on this port of the host now. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, host, () => probe.close(() => resolve(true)))
  })
}

/** The preferred port if it is free, so that links stay the same from start to start; else any free one. */
export async function portNear(preferred: number): Promise<number> {
  return (await isPortFree(preferred)) ? preferred : await freePort()
}
