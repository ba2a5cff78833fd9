import type { TSchema } from 'typebox'
import { commonSchemas } from './common.ts'
import { eventSchemas } from './events.ts'
import { featureSchemas } from './features.ts'
import { meterSchemas } from './meters.ts'
import { planSchemas } from './plans.ts'
import { priceSchemas } from './prices.ts'

/** Every named schema, so that it is a component of the OpenAPI document. A schema file adds its list here. */
export const schemas: readonly TSchema[] = [
  ...commonSchemas,
  ...meterSchemas,
  ...eventSchemas,
  ...featureSchemas,
  ...priceSchemas,
  ...planSchemas,
]
