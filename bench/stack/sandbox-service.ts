import { freePort } from '../../src/local/ports.ts'
import { isAnswered, service } from './service.ts'
import type { Service } from './service.ts'

/** A sandbox of its own, an account of Stripe's apart from the others; not started. */
export async function sandboxService(
  name: string,
  folder: string,
): Promise<Service & { readonly url: string }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const made = service({
    name,
    program: 'bench/stack/sandbox-process.ts',
    args: [String(port)],
    folder,
    env: {},
    isReady: async () => await isAnswered(url),
  })
  return { ...made, url }
}
