import { expectTypeOf, test } from 'vitest'
import type { components } from '@openmeter/sdk'
import type { Invoice } from '../../src/api/schemas/invoices.ts'
import type { Subscription, SubscriptionExpanded } from '../../src/api/schemas/subscriptions.ts'
import type { Wire } from './wire.ts'

type Contract = components['schemas']

test('what is answered is what the client reads: checked by the compiler', () => {
  expectTypeOf<Subscription>().toExtend<Wire<Contract['Subscription']>>()
  expectTypeOf<SubscriptionExpanded>().toExtend<Wire<Contract['SubscriptionExpanded']>>()
  expectTypeOf<Invoice>().toExtend<Wire<Contract['Invoice']>>()
})
