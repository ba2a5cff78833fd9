import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import {
  CountryCode,
  CurrencyCode,
  Metadata,
  Order,
  PageQuery,
  pageOf,
  ResourceDescription,
  ResourceName,
  Stamps,
} from './common.ts'
import { ref } from './reference.ts'
import { Subscription } from './subscriptions.ts'

const AddressText = Type.Optional(Type.String({ maxLength: 512 }))

export const Address = Type.Object(
  {
    country: Type.Optional(CountryCode),
    postalCode: AddressText,
    state: AddressText,
    city: AddressText,
    line1: AddressText,
    line2: AddressText,
    phoneNumber: AddressText,
  },
  { $id: 'Address' },
)

const MAX_SUBJECTS = 1000
const CustomerKey = Type.String({ minLength: 1, maxLength: 256 })

const content = {
  key: Type.Optional(CustomerKey),
  name: ResourceName,
  description: Type.Optional(ResourceDescription),
  metadata: Type.Optional(Type.Union([ref(Metadata), Type.Null()])),
  usageAttribution: Type.Optional(
    Type.Object({
      subjectKeys: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: MAX_SUBJECTS }),
    }),
  ),
  primaryEmail: Type.Optional(Type.String({ format: 'email', maxLength: 320 })),
  currency: Type.Optional(CurrencyCode),
  billingAddress: Type.Optional(ref(Address)),
}
const timezone = Type.String({
  minLength: 1,
  maxLength: 64,
  examples: ['America/New_York'],
  description: 'The IANA zone in which its billing periods begin.',
})

export const CustomerCreate = Type.Object(
  {
    ...content,
    timezone: Type.Optional(timezone),
    testClockId: Type.Optional(
      Type.String({
        description: 'Everything of this customer then takes its time from the clock. It cannot be changed.',
      }),
    ),
  },
  { $id: 'CustomerCreate', description: 'Without subject keys, usage is attributed by the key.' },
)
export type CustomerCreate = Static<typeof CustomerCreate>

export const CustomerReplaceUpdate = Type.Object(
  { ...content, timezone: Type.Optional(timezone) },
  { $id: 'CustomerReplaceUpdate' },
)
export type CustomerReplaceUpdate = Static<typeof CustomerReplaceUpdate>

export const Customer = Type.Object(
  {
    id: Type.String(),
    ...content,
    usageAttribution: Type.Object({ subjectKeys: Type.Array(Type.String()) }),
    timezone,
    testClockId: Type.Optional(Type.String()),
    currentSubscriptionId: Type.Optional(Type.String()),
    subscriptions: Type.Optional(Type.Array(ref(Subscription))),
    ...Stamps,
  },
  { $id: 'Customer' },
)
export type Customer = Static<typeof Customer>

export const CustomerPage = pageOf(ref(Customer), 'CustomerPaginatedResponse')

export const CustomerExpand = Type.Object({
  expand: Type.Optional(Type.Array(Type.Literal('subscriptions'))),
})

const Part = Type.Optional(Type.String({ description: 'Matches a part, whatever the case.' }))
export const CustomerListQuery = Type.Object({
  includeDeleted: Type.Optional(Type.Boolean()),
  key: Part,
  name: Part,
  primaryEmail: Part,
  subject: Part,
  planKey: Type.Optional(Type.String()),
  order: Type.Optional(Order),
  orderBy: Type.Optional(Type.Enum(['id', 'name', 'createdAt'] as const)),
  ...CustomerExpand.properties,
  ...PageQuery,
})

export const customerSchemas: readonly TSchema[] = [
  Address,
  CustomerCreate,
  CustomerReplaceUpdate,
  Customer,
  CustomerPage,
]
