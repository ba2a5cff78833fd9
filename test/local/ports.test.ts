import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePort, isPortFree } from '../../src/local/ports.ts'

/** Where Linux begins to give out ports by itself, unless told otherwise; others begin higher. */
const GIVEN_FROM = 32_768

test('a free port is none that the system could give to somebody else before it is used', async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, async () => await freePort()))
  for (const port of ports) expect(port).toBeLessThan(GIVEN_FROM)
})

test('a port is free until somebody listens on it', async () => {
  const server = createServer()
  const port = await freePort()
  await once(server.listen(port, '127.0.0.1'), 'listening')
  expect(await isPortFree(port)).toBe(false)
  await once(server.close(), 'close')
  expect(await isPortFree(port)).toBe(true)
})
