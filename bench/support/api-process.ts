import { pino } from 'pino'
import { buildApp } from '../../src/api/app.ts'
import type { ApiDeps } from '../../src/api/deps.ts'
import { openDatabase } from '../../src/db/connection.ts'
import { newId } from '../../src/new-id.ts'

// The API as server.ts runs it, without Temporal and Stripe, which no benchmark of usage reaches. Tells its port to the parent.
const absent = new Proxy(
  {},
  {
    get: (_target, member) => {
      throw new Error(`${String(member)} is not there in a benchmark`)
    },
  },
)

const db = openDatabase({
  connectionString: process.env['BENCH_DATABASE_URL'] ?? '',
  maxConnections: 10,
  applicationName: 'perennial-api',
})
const deps: ApiDeps = {
  db,
  temporal: absent as ApiDeps['temporal'],
  stripe: absent as ApiDeps['stripe'],
  config: { publicUrl: 'http://127.0.0.1' },
  newId,
  now: () => new Date(),
  log: pino({ level: 'warn' }),
}
const app = await buildApp(deps)
const address = await app.listen({ host: '127.0.0.1', port: 0 })
process.on('disconnect', () => process.exit())
process.send?.({ port: Number(new URL(address).port) })
