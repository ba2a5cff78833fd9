import { pino } from 'pino'
import { ulid } from 'ulid'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../../src/api/app.ts'
import type { ApiDeps } from '../../src/api/deps.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

export interface TestApi extends TestDatabase {
  readonly app: FastifyInstance
  readonly deps: ApiDeps
  readonly close: () => Promise<void>
}

function notUsed(name: string): never {
  return new Proxy(
    {},
    {
      get: (_target, property) => {
        throw new Error(`this test does not use ${name}.${String(property)}`)
      },
    },
  ) as never
}

/** The API over a database of its own; answers are held against their schemas. Temporal and Stripe only where given. */
export async function startTestApi(overrides: Partial<ApiDeps> = {}): Promise<TestApi> {
  const database = await createTestDatabase()
  const deps: ApiDeps = {
    db: database.db,
    temporal: notUsed('temporal'),
    stripe: notUsed('stripe'),
    config: { publicUrl: 'http://127.0.0.1:8888' },
    newId: ulid,
    now: () => new Date(),
    log: pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' }),
    ...overrides,
  }
  const app = await buildApp(deps, { checkResponses: true })
  const close = async (): Promise<void> => {
    await app.close()
    await database.drop()
  }
  return { ...database, app, deps, close }
}
