import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Stamps } from './common.ts'

export const Currency = Type.Object(
  { code: Type.String(), name: Type.String(), symbol: Type.String(), subunits: Type.Integer({ minimum: 0 }) },
  { $id: 'Currency' },
)
export type Currency = Static<typeof Currency>

export const Subject = Type.Object(
  { id: Type.String(), key: Type.String(), displayName: Type.Optional(Type.String()), ...Stamps },
  { $id: 'Subject', description: 'What usage is reported for; it belongs to the customer that names it.' },
)
export type Subject = Static<typeof Subject>

export const infoSchemas: readonly TSchema[] = [Currency, Subject]
