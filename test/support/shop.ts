import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The site of somebody who bills with us: where Checkout and the portal lead back to. */
export interface Shop {
  readonly url: string
  /** Shows another site's page inside its own, under `/embedding`. */
  readonly embed: (address: string) => void
  readonly close: () => Promise<void>
}

/** Every address has a page, whose heading is its path. */
export async function startShop(): Promise<Shop> {
  let embedded = ''
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://shop')
    const frame =
      pathname === '/embedding' ? `<iframe src="${embedded}" width="100%" height="900"></iframe>` : ''
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(`<!doctype html><title>Shop</title><h1>${pathname}</h1>${frame}`)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    embed: (address) => {
      embedded = address
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
    },
  }
}
