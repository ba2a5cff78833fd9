import { Type } from 'typebox'
import type { Static } from 'typebox'

const Address = Type.Object({
  country: Type.Optional(Type.String()),
  postalCode: Type.Optional(Type.String()),
  state: Type.Optional(Type.String()),
  city: Type.Optional(Type.String()),
  line1: Type.Optional(Type.String()),
  line2: Type.Optional(Type.String()),
  phoneNumber: Type.Optional(Type.String()),
})

const party = {
  id: Type.Optional(Type.String()),
  key: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  taxId: Type.Optional(Type.Object({ code: Type.Optional(Type.String()) })),
  addresses: Type.Optional(Type.Array(Address)),
}

/** Who supplies, as the invoice's snapshot has it (billing rule 23). */
export const InvoiceParty = Type.Object(party, { $id: 'InvoiceParty' })
export type InvoiceParty = Static<typeof InvoiceParty>

/** Who is billed, as the invoice's snapshot has it. */
export const InvoiceCustomer = Type.Object(
  { ...party, usageAttribution: Type.Object({ subjectKeys: Type.Array(Type.String()) }) },
  { $id: 'InvoiceCustomer' },
)
export type InvoiceCustomer = Static<typeof InvoiceCustomer>
