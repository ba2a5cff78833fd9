import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { update } from '../events.ts'
import { fieldOf } from '../http.ts'
import { detach } from '../resources/payment-methods.ts'
import { addTaxId, removeTaxId, taxIdsOf, taxIdTypeOf } from '../resources/tax-ids.ts'
import type { Raw } from '../route.ts'
import { confirmSetup, createSetup } from '../setup.ts'
import type { CustomerRecord, PaymentMethodRecord, PortalSessionRecord } from '../records.ts'
import { methodOfForm, readAddress } from './card-form.ts'
import type { Portal } from './portal-view.ts'

function currentCustomer(ctx: Context, id: string): CustomerRecord {
  const customer = ctx.store.get('customers', id)
  if (customer === undefined) throw new Error(`no customer ${id}`)
  return customer
}

/** The customer's default for invoices. */
export function makeDefault(ctx: Context, id: string, method: string): void {
  const customer = currentCustomer(ctx, id)
  const invoice_settings = { ...customer.invoice_settings, default_payment_method: method }
  update(ctx, 'customer.updated', ['customers', { ...customer, invoice_settings }])
}

function ownMethod({ ctx, customer }: Portal, form: Raw): PaymentMethodRecord {
  const method = ctx.store.get('paymentMethods', fieldOf(form, 'payment_method'))
  if (method?.customer !== customer.id) throw refuse('This payment method is not yours.', { status: 402 })
  return method
}

/** Saves another card through a setup intent; `authenticate`: the bank asks first. */
function addCard({ ctx, session, customer }: Portal, form: Raw): 'done' | 'authenticate' {
  const method = methodOfForm(ctx, form, customer.email)
  const intent = createSetup(ctx, { customer: customer.id })
  const waiting: PortalSessionRecord = ctx.store.put('portalSessions', { ...session, _setup: intent.id })
  const after = confirmSetup(ctx, intent, method)
  if (after.status === 'requires_action') return 'authenticate'
  ctx.store.put('portalSessions', { ...waiting, _setup: null })
  makeDefault(ctx, customer.id, method.id)
  return 'done'
}

function changeTaxId(ctx: Context, customer: CustomerRecord, value: string): void {
  const known = taxIdsOf(ctx, customer.id)
  if (known[0]?.value === value) return
  for (const record of known) removeTaxId(ctx, record)
  if (value === '') return
  const type = taxIdTypeOf(customer.address?.country ?? null)
  if (type === null) throw refuse('Tax IDs of this country are not supported.', { status: 402 })
  addTaxId(ctx, customer, { type, value })
}

/** Only what the configuration lets customers change. */
function updateCustomer({ ctx, customer, features }: Portal, form: Raw): void {
  const allowed = new Set<string>(features.customer_update.allowed_updates)
  const email = fieldOf(form, 'email').trim()
  const name = fieldOf(form, 'customer_name').trim()
  const address = readAddress(form)
  const changed = update(ctx, 'customer.updated', [
    'customers',
    {
      ...customer,
      ...(allowed.has('email') && email !== '' ? { email } : {}),
      ...(allowed.has('name') && name !== '' ? { name } : {}),
      ...(allowed.has('address') && address !== null ? { address } : {}),
    },
  ])
  const taxId = form['tax_id']
  if (allowed.has('tax_id') && typeof taxId === 'string')
    changeTaxId(ctx, changed, taxId.replaceAll(/\s/g, ''))
}

/** Does what a form of the portal asks for; a form without an action adds a card. */
export function perform(portal: Portal, form: Raw): 'done' | 'authenticate' {
  const { ctx, customer, features } = portal
  const action = fieldOf(form, 'action') || 'add_card'
  const needed = action === 'update_customer' ? features.customer_update : features.payment_method_update
  if (!needed.enabled) throw refuse('This cannot be changed here.', { status: 402 })
  if (action === 'add_card') return addCard(portal, form)
  if (action === 'update_customer') updateCustomer(portal, form)
  else if (action === 'make_default') makeDefault(ctx, customer.id, ownMethod(portal, form).id)
  else if (action === 'remove') detach(ctx, ownMethod(portal, form))
  return 'done'
}
