import { randomInt } from 'node:crypto'
import { isPortFree } from '../../src/local/ports.ts'

/**
 * A port for what is killed and started again under its address: below those that the system gives to connections and to whoever
 * listens on any, since one of these may be somebody else's until it is back.
 */
export async function lowPort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 30_000)
    if (await isPortFree(port)) return port
  }
}
