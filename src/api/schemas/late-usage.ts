import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Instant } from './common.ts'

/** Usage of a closed period that is on no invoice (billing rule 9). */
export const LateUsage = Type.Object(
  {
    lineKey: Type.String({ description: 'The line that billed the period, the same on every invoice.' }),
    featureKey: Type.String(),
    period: Type.Object({ from: Instant, to: Instant }),
    billedQuantity: Type.String({ description: 'What was metered when the period was last billed.' }),
    quantity: Type.String({ description: 'What is metered now.' }),
    billedAmount: Type.String(),
    difference: Type.String({ description: 'What it would cost, or give back if negative.' }),
    currency: Type.String(),
    description: Type.String(),
  },
  { $id: 'UnbilledLateUsage' },
)
export type LateUsage = Static<typeof LateUsage>

export const lateUsageSchemas: readonly TSchema[] = [LateUsage]
