import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { quantile } from './benchmark.ts'

export interface Load {
  readonly port: number
  readonly connections: number
  /** Whole HTTP requests as bytes, made before the clock starts. */
  readonly requests: readonly Buffer[]
}

export interface LoadResult {
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** A whole request, so that sending it costs the sender nothing: both share the machine with what is measured. */
export function bodyRequest(path: string, headers: Readonly<Record<string, string>>, body: string): Buffer {
  const bytes = Buffer.from(body)
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${bytes.length}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes])
}

/** Events. */
export function postRequest(path: string, apiKey: string, body: string): Buffer {
  const headers = {
    authorization: `Bearer ${apiKey}`,
    'content-type': 'application/cloudevents-batch+json',
  }
  return bodyRequest(path, headers, body)
}

export function getRequest(path: string, apiKey: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${apiKey}\r\n\r\n`)
}

/** Sends all requests over keep-alive connections, one in flight on each; every answer has to be a success. */
export async function sendAll({ port, connections, requests }: Load): Promise<LoadResult> {
  const sockets = await Promise.all(Array.from({ length: connections }, async () => await open(port)))
  const latencies: number[] = []
  let next = 0
  const begun = performance.now()
  await Promise.all(
    sockets.map(async (socket) => {
      for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
        const sent = performance.now()
        await exchange(socket, request)
        latencies.push(performance.now() - sent)
      }
    }),
  )
  const seconds = (performance.now() - begun) / 1000
  for (const socket of sockets) socket.destroy()
  return { seconds, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) }
}

async function open(port: number): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

const lastChunk = Buffer.from('0\r\n\r\n')

/** Of an answer the head is read, and its body counted. */
async function exchange(socket: Socket, request: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let answer = Buffer.alloc(0)
    /** Bytes of the body still to come; null until the head is there. */
    let missing: number | null = null
    let isChunked = false
    const end = (problem?: Error): void => {
      socket.off('data', onData)
      socket.off('close', onClose)
      if (problem === undefined) resolve()
      else reject(problem)
    }
    const onData = (chunk: Buffer): void => {
      if (missing === null) {
        answer = Buffer.concat([answer, chunk])
        const headEnd = answer.indexOf('\r\n\r\n')
        if (headEnd < 0) return
        const head = answer.toString('latin1', 0, headEnd)
        if (!/^HTTP\/1.1 20\d/.test(head)) {
          end(new Error(`the server answered ${answer.toString('utf8', 0, 600)}`))
          return
        }
        isChunked = /transfer-encoding: chunked/i.test(head)
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
        missing = length - (answer.length - headEnd - 4)
      } else missing -= chunk.length
      // The last chunk is empty, and one answer at a time is on the way.
      if (isChunked ? chunk.subarray(-5).equals(lastChunk) : missing <= 0) end()
    }
    const onClose = (): void => end(new Error('the server closed the connection'))
    socket.on('data', onData)
    socket.once('close', onClose)
    socket.write(request)
  })
}
