import type { TSchema } from 'typebox'
import { accessSchemas } from './access.ts'
import { appSchemas } from './apps.ts'
import { billingProfileSchemas } from './billing-profiles.ts'
import { profileSettingSchemas } from './profile-settings.ts'
import { checkoutSchemas } from './checkout.ts'
import { commonSchemas } from './common.ts'
import { customerSchemas } from './customers.ts'
import { eventSchemas } from './events.ts'
import { featureSchemas } from './features.ts'
import { infoSchemas } from './info.ts'
import { invoiceSchemas } from './invoices.ts'
import { lateUsageSchemas } from './late-usage.ts'
import { meterSchemas } from './meters.ts'
import { planSchemas } from './plans.ts'
import { priceSchemas } from './prices.ts'
import { reconciliationSchemas } from './reconciliation.ts'
import { workflowSchemas } from './workflows.ts'
import { stripePlanMappingSchemas } from './stripe-plan-mappings.ts'
import { subscriptionSchemas } from './subscriptions.ts'
import { testClockSchemas } from './test-clocks.ts'

/** Every named schema, so that it is a component of the OpenAPI document. A schema file adds its list here. */
export const schemas: readonly TSchema[] = [
  ...commonSchemas,
  ...infoSchemas,
  ...meterSchemas,
  ...eventSchemas,
  ...featureSchemas,
  ...priceSchemas,
  ...planSchemas,
  ...customerSchemas,
  ...appSchemas,
  ...checkoutSchemas,
  ...profileSettingSchemas,
  ...accessSchemas,
  ...billingProfileSchemas,
  ...stripePlanMappingSchemas,
  ...testClockSchemas,
  ...subscriptionSchemas,
  ...invoiceSchemas,
  ...lateUsageSchemas,
  ...reconciliationSchemas,
  ...workflowSchemas,
]
