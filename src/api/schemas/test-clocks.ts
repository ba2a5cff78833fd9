import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Instant, PageQuery, pageOf, ResourceName } from './common.ts'
import { ref } from './reference.ts'

export const TestClockCreate = Type.Object(
  { name: ResourceName, frozenTime: Instant },
  { $id: 'TestClockCreate' },
)

export const TestClockAdvance = Type.Object({ frozenTime: Instant }, { $id: 'TestClockAdvance' })

export const TestClock = Type.Object(
  {
    id: Type.String(),
    name: ResourceName,
    frozenTime: Type.String({
      format: 'date-time',
      description: 'What time it is for the customers on the clock.',
    }),
    targetTime: Type.Optional(
      Type.String({ format: 'date-time', description: 'Where an advance is going.' }),
    ),
    status: Type.Union([Type.Literal('ready'), Type.Literal('advancing'), Type.Literal('internal_failure')]),
    statusReason: Type.Optional(Type.String()),
    createdAt: Instant,
    updatedAt: Instant,
    deletedAt: Type.Optional(Instant),
    temporalWorkflowId: Type.String(),
  },
  { $id: 'TestClock' },
)
export type TestClock = Static<typeof TestClock>

export const TestClockPage = pageOf(ref(TestClock), 'TestClockPaginatedResponse')
export const TestClockParams = Type.Object({ testClockId: Type.String({ minLength: 1 }) })
export const TestClockListQuery = Type.Object(PageQuery)

export const testClockSchemas: readonly TSchema[] = [
  TestClockCreate,
  TestClockAdvance,
  TestClock,
  TestClockPage,
]
