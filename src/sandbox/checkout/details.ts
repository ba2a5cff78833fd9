import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { update } from '../events.ts'
import { createCustomer } from '../resources/customers.ts'
import { addTaxId, taxIdsOf, taxIdTypeOf } from '../resources/tax-ids.ts'
import type { CheckoutDetails, CustomerRecord, SessionRecord } from '../records.ts'

/** Whether the page asks for a whole address. */
export function wantsAddress(session: SessionRecord): boolean {
  return session.billing_address_collection === 'required' || session.automatic_tax.enabled
}

/** Whether the page asks for a business and its tax id. */
export function wantsTaxId(session: SessionRecord): boolean {
  return session.tax_id_collection?.enabled === true
}

interface Typed {
  readonly email: string | null
  readonly name: string | null
  readonly businessName: string | null
  readonly address: CheckoutDetails['address']
  readonly taxId: string | null
}

/** What was typed, held against what the session asks for; refuses what is missing. */
export function readDetails(ctx: Context, session: SessionRecord, typed: Typed): CheckoutDetails {
  const customer = session.customer === null ? undefined : ctx.store.get('customers', session.customer)
  const email = customer?.email ?? session.customer_email ?? typed.email
  const { address } = typed
  if (session.billing_address_collection === 'required' && (!address?.line1 || !address.country))
    throw refuse('Your billing address is incomplete.', { status: 402 })
  if (typed.taxId === null) return { ...typed, email, taxId: null }
  const type = taxIdTypeOf(address?.country ?? customer?.address?.country ?? null)
  if (type === null) throw refuse('Tax IDs of this country are not supported.', { status: 402 })
  return { ...typed, email, taxId: { type, value: typed.taxId } }
}

/** With `customer_update`, what was typed replaces what the customer had [stripe docs: Checkout customer_update]. */
function updateCustomer(
  ctx: Context,
  [session, customer]: readonly [SessionRecord, CustomerRecord],
  details: CheckoutDetails,
): void {
  const { address, name } = session._customerUpdate ?? {}
  const typedName = details.businessName ?? details.name
  update(ctx, 'customer.updated', [
    'customers',
    {
      ...customer,
      ...(address === 'auto' && details.address !== null ? { address: details.address } : {}),
      ...(name === 'auto' && typedName !== null ? { name: typedName } : {}),
      ...(customer.email === null && details.email !== null ? { email: details.email } : {}),
    },
  ])
  const { taxId } = details
  const known = taxIdsOf(ctx, customer.id).some(({ value }) => value === taxId?.value)
  if (taxId !== null && !known) addTaxId(ctx, customer, taxId)
}

/** The customer of the session, brought up to date, or made where the session says so; null: there is none. */
export function settleCustomer(
  ctx: Context,
  session: SessionRecord,
  details: CheckoutDetails,
): string | null {
  const customer = session.customer === null ? undefined : ctx.store.get('customers', session.customer)
  if (customer !== undefined) {
    updateCustomer(ctx, [session, customer], details)
    return customer.id
  }
  if (session.customer_creation !== 'always') return null
  const { email, name, businessName, address, taxId } = details
  return createCustomer(ctx, {
    email,
    name: businessName ?? name,
    ...(address === null ? {} : { address }),
    ...(taxId === null ? {} : { tax_id_data: [taxId] }),
  }).id
}

/** `customer_details` and `collected_information` of a finished session. */
export function shownDetails(ctx: Context, customer: string | null, details: CheckoutDetails): object {
  const record = customer === null ? undefined : ctx.store.get('customers', customer)
  const taxIds = customer === null ? [] : taxIdsOf(ctx, customer)
  return {
    customer_details: {
      address: details.address,
      business_name: details.businessName,
      email: details.email ?? record?.email ?? null,
      individual_name: null,
      name: details.businessName ?? details.name,
      phone: null,
      tax_exempt: record?.tax_exempt ?? 'none',
      tax_ids: taxIds.map(({ type, value }) => ({ type, value })),
    },
    collected_information: {
      business_name: details.businessName,
      individual_name: null,
      shipping_details: null,
    },
  }
}
