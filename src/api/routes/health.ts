import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { checkDatabase } from '../../db/stores/api-keys.ts'
import type { Database } from '../../db/connection.ts'
import { pendingMigrations } from '../../db/migrate.ts'
import type { ApiDeps } from '../deps.ts'

const Check = Type.Object({ ok: Type.Boolean(), detail: Type.String() })
const Readiness = Type.Object({ status: Type.String(), checks: Type.Record(Type.String(), Check) })

interface CheckResult {
  readonly ok: boolean
  readonly detail: string
}

async function attempt(check: () => Promise<CheckResult>): Promise<CheckResult> {
  try {
    return await check()
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) }
  }
}

async function checkMigrations(db: Database): Promise<CheckResult> {
  const pending = await pendingMigrations(db)
  return pending.length === 0
    ? { ok: true, detail: 'up to date' }
    : { ok: false, detail: `missing: ${pending.join(', ')}` }
}

/** /healthz: the process answers. /readyz: it can do its work, with each part's state, and is not about to stop. */
export function healthRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  const db = deps.watch ?? deps.db
  return async (app) => {
    app.get(
      '/healthz',
      {
        config: { scope: 'public', admission: 'exempt' },
        schema: {
          operationId: 'getHealth',
          tags: ['Health'],
          description:
            'Answers while the process runs, without looking at anything else. For liveness checks; ' +
            'needs no API key.',
          response: { 200: Type.Object({ status: Type.Literal('ok') }) },
        },
      },
      async () => ({ status: 'ok' as const }),
    )

    app.get(
      '/readyz',
      {
        config: { scope: 'public', admission: 'exempt' },
        schema: {
          operationId: 'getReadiness',
          tags: ['Health'],
          description:
            'Whether the API can work: database, migrations and Temporal, each with its state. 503 ' +
            'where one of them fails, and while the process stops. Needs no API key.',
          response: { 200: Readiness, 503: Readiness },
        },
      },
      async (_request, reply) => {
        const checks = {
          database: await attempt(async () => ({ ok: true, detail: await checkDatabase(db) })),
          migrations: await attempt(() => checkMigrations(db)),
          temporal: await attempt(() => deps.temporal.checkHealth()),
        }
        const works = Object.values(checks).every((check) => check.ok)
        if (app.isDraining()) return reply.status(503).send({ status: 'stopping', checks })
        return reply.status(works ? 200 : 503).send({ status: works ? 'ready' : 'not_ready', checks })
      },
    )
  }
}
