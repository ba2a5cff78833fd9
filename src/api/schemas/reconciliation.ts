import { Type } from 'typebox'
import type { TSchema } from 'typebox'

export const ReconciliationRequest = Type.Object(
  {
    dryRun: Type.Optional(Type.Boolean({ description: 'Reports, and changes nothing; default false.' })),
    after: Type.Optional(
      Type.String({
        maxLength: 4096,
        pattern: '^[a-z_]+(:[A-Za-z0-9_-]*)?$',
        description: 'The `next` of the answer before; left out: from the beginning.',
      }),
    ),
  },
  { $id: 'ReconciliationRequest' },
)

const ReconciliationFinding = Type.Object({
  kind: Type.Union([
    Type.Literal('workflow_missing'),
    Type.Literal('workflow_without_row'),
    Type.Literal('overdue'),
    Type.Literal('event_missed'),
    Type.Literal('invoice_only_at_stripe'),
    Type.Literal('not_compared'),
  ]),
  subject: Type.String({ description: 'A workflow, an event or invoice at Stripe, or an app.' }),
  detail: Type.String(),
  repaired: Type.Boolean(),
})

export const Reconciliation = Type.Object(
  {
    examined: Type.Integer({ description: 'Rows, workflows and events that were compared.' }),
    findings: Type.Array(ReconciliationFinding),
    next: Type.Optional(
      Type.String({ description: 'Ask again with it as `after`; left out: all was compared.' }),
    ),
  },
  { $id: 'Reconciliation' },
)

export const reconciliationSchemas: readonly TSchema[] = [ReconciliationRequest, Reconciliation]
