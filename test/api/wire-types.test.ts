import { expectTypeOf, test } from 'vitest'
import type { Invoice, InvoicePage, InvoiceVoid } from '../../src/api/schemas/invoices.ts'
import type {
  Subscription,
  SubscriptionCreate,
  SubscriptionExpanded,
} from '../../src/api/schemas/subscriptions.ts'
import type { Static } from 'typebox'
import type { Schemas } from './client.ts'

test('what is answered is what the client reads: checked by the compiler', () => {
  expectTypeOf<Subscription>().toExtend<Schemas['Subscription']>()
  expectTypeOf<SubscriptionExpanded>().toExtend<Schemas['SubscriptionExpanded']>()
  expectTypeOf<Invoice>().toExtend<Schemas['Invoice']>()
  expectTypeOf<Static<typeof InvoicePage>>().toExtend<Schemas['InvoicePaginatedResponse']>()
})

test('what the client sends is what we take', () => {
  expectTypeOf<Schemas['SubscriptionCreate']>().toExtend<SubscriptionCreate>()
  expectTypeOf<Schemas['VoidInvoiceActionInput']>().toExtend<Static<typeof InvoiceVoid>>()
})
