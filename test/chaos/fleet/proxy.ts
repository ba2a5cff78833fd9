import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** A TCP connection in between: what is behind it may move, and what passes may be cut or held up. */
export interface Proxy {
  readonly port: number
  /** Where new connections lead from now on. */
  readonly leadTo: (port: number) => void
  /** Resets every connection; how many of them waited for an answer. */
  readonly cut: () => number
  /** Lets nothing pass until the returned function is called; that tells how many connections waited for an answer. */
  readonly stall: () => () => number
  readonly close: () => Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** The last word was the client's. */
  isWaiting: boolean
}

const HOST = '127.0.0.1'

export async function startProxy(target: number): Promise<Proxy> {
  const pairs = new Set<Pair>()
  const state = { target, isStalled: false }
  const end = (pair: Pair): void => {
    pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }
  const listener = createServer((client) => {
    const server = connect(state.target, HOST)
    const pair: Pair = { client, server, isWaiting: false }
    pairs.add(pair)
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', () => {
      pair.isWaiting = true
    })
    server.on('data', () => {
      pair.isWaiting = false
    })
    client.pipe(server)
    server.pipe(client)
    if (state.isStalled) hold(pair)
    for (const socket of [client, server]) {
      socket.on('error', () => end(pair))
      socket.on('close', () => end(pair))
    }
  })
  await new Promise<void>((resolve) => void listener.listen(0, HOST, resolve))
  const waiting = (): number => [...pairs].filter(({ isWaiting }) => isWaiting).length
  return {
    port: (listener.address() as AddressInfo).port,
    leadTo(port) {
      state.target = port
    },
    cut() {
      const count = waiting()
      for (const pair of pairs) {
        pair.client.resetAndDestroy()
        pair.server.resetAndDestroy()
      }
      return count
    },
    stall() {
      state.isStalled = true
      for (const pair of pairs) hold(pair)
      return () => {
        state.isStalled = false
        const count = waiting()
        for (const { client, server } of pairs) {
          client.pipe(server)
          server.pipe(client)
        }
        return count
      }
    },
    async close() {
      for (const pair of pairs) end(pair)
      await new Promise((resolve) => void listener.close(resolve))
    },
  }
}

/** Bytes stay in the buffers of the sockets. */
function hold({ client, server }: Pair): void {
  client.unpipe(server)
  server.unpipe(client)
  client.pause()
  server.pause()
}
