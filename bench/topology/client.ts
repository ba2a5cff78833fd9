import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'

export interface Call {
  /** Under which it is counted. */
  readonly kind: string
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly body?: unknown
}

/** A call that was not answered as it has to be: a 5xx, a 429, or a connection that was cut. */
export interface Failure {
  readonly kind: string
  readonly api: string
  readonly reason: string
  readonly at: string
}

interface Counts {
  readonly requests: Readonly<Record<string, number>>
  /** No connection came about, so nothing was sent: the other address was asked. */
  readonly turnedAway: number
  readonly slowestMs: number
  readonly failures: readonly Failure[]
}

/** A client that knows every address, keeps its connections and takes the addresses in turn. */
export interface ClusterClient {
  /** Answers the body; null where the call failed, which is counted. */
  readonly call: <T>(call: Call) => Promise<T | null>
  readonly counts: () => Counts
  readonly close: () => void
}

interface Target {
  readonly hostname: string
  readonly port: number
}

interface Answer {
  readonly status: number
  readonly text: string
}

export function clusterClient(urls: readonly string[], say: (line: string) => void): ClusterClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const targets: readonly Target[] = urls.map((url) => {
    const { hostname, port } = new URL(url)
    return { hostname, port: Number(port) }
  })
  const requests: Record<string, number> = {}
  const failures: Failure[] = []
  let turnedAway = 0
  let slowestMs = 0
  let next = 0

  const fail = (kind: string, { port }: Target, reason: string): null => {
    failures.push({ kind, api: String(port), reason: reason.slice(0, 300), at: new Date().toISOString() })
    say(`failed: ${kind} at ${port}: ${reason.slice(0, 300)}`)
    return null
  }
  const call = async <T>(one: Call): Promise<T | null> => {
    const { kind } = one
    requests[kind] = (requests[kind] ?? 0) + 1
    const begun = performance.now()
    const first = next++
    for (let tried = 0; ; tried += 1) {
      const target = targets[(first + tried) % targets.length]
      if (target === undefined) throw new Error('no address')
      try {
        const { status, text } = await send(target, agent, one)
        slowestMs = Math.max(slowestMs, performance.now() - begun)
        if (status >= 500 || status === 429) return fail(kind, target, `${status}: ${text}`)
        if (status >= 400) throw new Error(`${one.method} ${one.path} answered ${status}: ${text}`)
        return (text === '' ? undefined : JSON.parse(text)) as T
      } catch (error) {
        if (!isConnecting(error)) {
          if (!isCut(error)) throw error
          return fail(kind, target, `${error.code}: ${error.message}`)
        }
        turnedAway += 1
        if (tried + 1 === targets.length) return fail(kind, target, 'no address took the connection')
      }
    }
  }
  return { call, counts: () => ({ requests, turnedAway, slowestMs, failures }), close: () => agent.destroy() }
}

type SystemError = Error & { readonly code: string; readonly syscall?: string }

const isCut = (error: unknown): error is SystemError => error instanceof Error && 'code' in error
const isConnecting = (error: unknown): boolean => isCut(error) && error.syscall === 'connect'

async function send({ hostname, port }: Target, agent: Agent, { method, path, body }: Call): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body)
  const headers = payload === undefined ? {} : { 'content-type': 'application/json' }
  return await new Promise((resolve, reject) => {
    const sent = request({ agent, hostname, port, method, path, headers }, (response: IncomingMessage) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.on('error', reject)
    sent.end(payload)
  })
}
