import { Agent, request } from 'node:http'

export interface Answer {
  readonly status: number
  /** Seconds that a refusal asks to wait; null: it does not say. */
  readonly retryAfter: number | null
  readonly text: string
  readonly ms: number
}

export interface Outgoing {
  readonly method: string
  readonly path: string
  readonly body?: string
  /** Idempotency-Key. */
  readonly key?: string
}

export interface Caller {
  /** One request, as it went. Rejects where the connection broke. */
  readonly send: (call: Outgoing) => Promise<Answer>
  readonly close: () => void
}

/** Calls the API with a key over connections that are kept; at most as many at once as asked for. */
export function createCaller(apiUrl: string, apiKey: string, connections: number): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const send = async ({ method, path, body, key }: Outgoing): Promise<Answer> => {
    const begun = performance.now()
    return await new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${apiKey}`,
        ...(key !== undefined && { 'idempotency-key': key }),
        ...(body !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        }),
      }
      const sent = request(`${apiUrl}${path}`, { method, headers, agent }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const after = response.headers['retry-after']
          resolve({
            status: response.statusCode ?? 0,
            retryAfter: after === undefined ? null : Number(after),
            text: Buffer.concat(chunks).toString('utf8'),
            ms: performance.now() - begun,
          })
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }
  return { send, close: () => agent.destroy() }
}
