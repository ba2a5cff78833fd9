import { OpenMeter } from '@openmeter/sdk'
import type { components } from '@openmeter/sdk'
import type { FastifyInstance } from 'fastify'

/** What the client's types say, as it travels: instants are text. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer U)[]
    ? Wire<U>[]
    : T extends object
      ? { [K in keyof T]: Wire<T[K]> }
      : T

export type Schemas = { [K in keyof components['schemas']]: Wire<components['schemas'][K]> }

/** `true` compiles only where what we answer is what the client expects, or what it sends is what we take. */
export type IsAssignable<From, To> = [From] extends [To] ? true : false

/** The published client, unchanged, talking to the app over a socket. */
export async function connectClient(app: FastifyInstance, apiKey?: string): Promise<OpenMeter> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the app does not listen')
  const baseUrl = `http://127.0.0.1:${address.port}`
  return new OpenMeter(apiKey === undefined ? { baseUrl } : { baseUrl, apiKey })
}
