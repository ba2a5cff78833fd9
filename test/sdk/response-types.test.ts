import type { Static } from 'typebox'
import { expectTypeOf, test } from 'vitest'
import type { AppPage, CustomerAppDataPage, MarketplaceListingPage } from '../../src/api/schemas/apps.ts'
import type { BillingProfilePage } from '../../src/api/schemas/billing-profiles.ts'
import type { CustomerPage } from '../../src/api/schemas/customers.ts'
import type { IngestedEvent } from '../../src/api/schemas/events.ts'
import type { Currency, Subject } from '../../src/api/schemas/info.ts'
import type { Meter } from '../../src/api/schemas/meters.ts'
import type { PlanPage } from '../../src/api/schemas/plans.ts'
import type { Schemas } from '../api/client.ts'

// What test/api does not hold already. The compiler checks all of this; running does nothing.
test('what is answered about usage is what the client reads', () => {
  expectTypeOf<Meter>().toExtend<Schemas['Meter']>()
  // Data is any JSON with us, and an object in the contract.
  expectTypeOf<Omit<Static<typeof IngestedEvent>, 'event'>>().toExtend<
    Omit<Schemas['IngestedEvent'], 'event'>
  >()
  expectTypeOf<Currency>().toExtend<Schemas['Currency']>()
  expectTypeOf<Subject>().toExtend<Schemas['Subject']>()
})

test('pages are what the client reads', () => {
  expectTypeOf<Static<typeof PlanPage>>().toExtend<Schemas['PlanPaginatedResponse']>()
  expectTypeOf<Static<typeof CustomerPage>>().toExtend<Schemas['CustomerPaginatedResponse']>()
  expectTypeOf<Static<typeof AppPage>>().toExtend<Schemas['AppPaginatedResponse']>()
  expectTypeOf<Static<typeof MarketplaceListingPage>>().toExtend<
    Schemas['MarketplaceListingPaginatedResponse']
  >()
  expectTypeOf<Static<typeof CustomerAppDataPage>>().toExtend<Schemas['CustomerAppDataPaginatedResponse']>()
  expectTypeOf<Static<typeof BillingProfilePage>>().toExtend<Schemas['BillingProfilePaginatedResponse']>()
})
