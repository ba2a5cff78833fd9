import type { Context } from '../context.ts'
import { StripeRefusal } from '../errors.ts'
import { fieldOf } from '../http.ts'
import type { Raw } from '../route.ts'
import { createFromCard, requireTestCard } from '../resources/payment-methods.ts'
import type { CustomerRecord, PaymentMethodRecord } from '../records.ts'

/** A refusal that names a field, in Stripe's words. */
function incomplete(code: string, message: string): StripeRefusal {
  return new StripeRefusal(402, { type: 'card_error', code, message })
}

/** `12 / 34`, `1234` and `12/2034` are all December 2034; a form without the field has a date far off. */
function readExpiry(text: string, nowMs: number): { readonly month: number; readonly year: number } {
  if (text === '') return { month: 8, year: 2034 }
  const [, month, year] = /^\s*(0?[1-9]|1[0-2])\s*\/?\s*((?:20)?\d\d)\s*$/.exec(text) ?? []
  if (month === undefined || year === undefined)
    throw incomplete('invalid_expiry_month', "Your card's expiration date is invalid.")
  const full = 2000 + (Number(year) % 100)
  // Good until the end of its month.
  if (Date.UTC(full, Number(month), 1) <= nowMs)
    throw incomplete('invalid_expiry_year', "Your card's expiration date is in the past.")
  return { month: Number(month), year: full }
}

/** An address as typed; null when the form had none. */
export function readAddress(form: Raw): NonNullable<CustomerRecord['address']> | null {
  const at = (name: string) => fieldOf(form, name).trim() || null
  const address = {
    city: at('city'),
    country: at('country'),
    line1: at('line1'),
    line2: at('line2'),
    postal_code: at('postal_code'),
    state: at('state'),
  }
  return address.line1 === null && address.country === null ? null : address
}

/** A payment method of what was typed; numbers that are no test card are refused. */
export function methodOfForm(ctx: Context, form: Raw, email: string | null): PaymentMethodRecord {
  const card = requireTestCard(fieldOf(form, 'card'))
  const expiry = readExpiry(fieldOf(form, 'expiry'), ctx.nowMs())
  const cvc = fieldOf(form, 'cvc')
  if (cvc !== '' && !/^\d{3,4}$/.test(cvc))
    throw incomplete('invalid_cvc', "Your card's security code is incomplete.")
  const method = createFromCard(ctx, card, expiry)
  const billing_details = {
    ...method.billing_details,
    email,
    name: fieldOf(form, 'name').trim() || null,
    address: readAddress(form) ?? method.billing_details.address,
  }
  return ctx.store.put('paymentMethods', { ...method, billing_details })
}
