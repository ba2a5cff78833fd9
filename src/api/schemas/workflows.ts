import { Type } from 'typebox'
import type { TSchema } from 'typebox'
import { Instant } from './common.ts'

const MAX_AT_ONCE = 100

export const WorkflowPoke = Type.Object(
  {
    startedBefore: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Only runs that began before; default now. Keep it from page to page.',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_AT_ONCE,
        default: MAX_AT_ONCE,
        description: 'At most so many.',
      }),
    ),
    after: Type.Optional(
      Type.String({
        maxLength: 4096,
        pattern: '^[A-Za-z0-9_-]+$',
        description: 'The `next` of the answer before; left out: from the beginning.',
      }),
    ),
  },
  { $id: 'WorkflowPoke' },
)

export const PokedWorkflows = Type.Object(
  {
    poked: Type.Integer({ description: 'Workflows that were told to begin a new run and to look again.' }),
    startedBefore: Instant,
    next: Type.Optional(
      Type.String({ description: 'Ask again with it as `after`; left out: all were poked.' }),
    ),
  },
  { $id: 'PokedWorkflows' },
)

export const workflowSchemas: readonly TSchema[] = [WorkflowPoke, PokedWorkflows]
