import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import {
  countCustomersOnClock,
  deleteTestClock,
  findTestClock,
  insertTestClock,
  listTestClocks,
  lockTestClock,
} from '../../db/stores/test-clock-create.ts'
import type { TestClockRow } from '../../db/stores/test-clock-create.ts'
import { DomainError } from '../../domain/errors.ts'
import { advanceTestClock } from '../actions/advance-test-clock.ts'
import { startedLater } from '../actions/started-later.ts'
import type { ApiDeps } from '../deps.ts'
import { parseInstant } from '../instants.ts'
import { found } from '../not-found.ts'
import { pageRequest, presentPage } from '../paging.ts'
import { presentTestClock } from '../presenters/test-clock.ts'
import { ref } from '../schemas/reference.ts'
import {
  TestClock,
  TestClockAdvance,
  TestClockCreate,
  TestClockListQuery,
  TestClockPage,
  TestClockParams,
} from '../schemas/test-clocks.ts'

const tags = ['Test clocks']

async function createTestClock(deps: ApiDeps, name: string, frozenTime: Date): Promise<TestClockRow> {
  const clock = { id: deps.newId(), name, frozenTime }
  const row = await deps.db.transaction().execute(async (trx) => await insertTestClock(trx, clock))
  await startedLater(deps, deps.temporal.startTestClock({ testClockId: row.id }))
  return row
}

async function removeTestClock(deps: ApiDeps, id: string): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    const clock = found((await lockTestClock(trx, id)) ?? null, 'test clock', id)
    if (clock.status === 'advancing')
      throw new DomainError('clock_busy', 'The clock is advancing; wait until it is ready.')
    const customers = await countCustomersOnClock(trx, id)
    if (customers > 0) {
      throw new DomainError(
        'clock_in_use',
        `${customers} customers take their time from the clock; delete them first.`,
      )
    }
    await deleteTestClock(trx, id, deps.now())
  })
}

/** Test clocks: time as their customers see it, moved by hand. */
export function testClockRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/test-clocks',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'createTestClock',
          tags,
          description:
            'A time that stands still until it is advanced, for customers that are created with its id. ' +
            'What they are billed happens as in production, only on this time.',
          body: ref(TestClockCreate),
          response: { 201: ref(TestClock) },
        },
      },
      async ({ body }, reply) => {
        const frozenTime = parseInstant(body.frozenTime, 'frozenTime')
        return await reply
          .status(201)
          .send(presentTestClock(await createTestClock(deps, body.name, frozenTime)))
      },
    )

    app.get(
      '/api/v1/test-clocks',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listTestClocks',
          tags,
          description: 'A page of the test clocks, each with its time and whether it is advancing.',
          querystring: TestClockListQuery,
          response: { 200: ref(TestClockPage) },
        },
      },
      async ({ query }) => {
        const page = pageRequest(query)
        const { rows, totalCount } = await listTestClocks(deps.db, page)
        return presentPage({ items: rows, totalCount }, page, presentTestClock)
      },
    )

    app.get(
      '/api/v1/test-clocks/:testClockId',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getTestClock',
          tags,
          description:
            'Its time and status. `ready` means: all that was due for its customers up to its time is done.',
          params: TestClockParams,
          response: { 200: ref(TestClock) },
        },
      },
      async ({ params: { testClockId } }) =>
        presentTestClock(
          found((await findTestClock(deps.db, testClockId)) ?? null, 'test clock', testClockId),
        ),
    )

    app.post(
      '/api/v1/test-clocks/:testClockId/advance',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'advanceTestClock',
          tags,
          description:
            'Answers while the clock advances; read it until its status is `ready`. At most five years at ' +
            'once (`clock_too_far`) and only forward (`clock_backwards`, both 400); `clock_busy` (409) ' +
            'while it advances.',
          params: TestClockParams,
          body: ref(TestClockAdvance),
          response: { 202: ref(TestClock) },
        },
      },
      async ({ params, body }, reply) => {
        const target = parseInstant(body.frozenTime, 'frozenTime')
        const row = await advanceTestClock(deps, params.testClockId, target)
        return await reply.status(202).send(presentTestClock(row))
      },
    )

    app.delete(
      '/api/v1/test-clocks/:testClockId',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'deleteTestClock',
          tags,
          description:
            '`clock_in_use` (409) while customers take their time from it, `clock_busy` (409) while it ' +
            'advances.',
          params: TestClockParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params: { testClockId } }, reply) => {
        await removeTestClock(deps, testClockId)
        return await reply.status(204).send(null)
      },
    )
  }
}
