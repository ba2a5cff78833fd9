import type { Transaction } from 'kysely'
import { listCustomerLinks, upsertCustomerLink } from '../db/stores/apps.ts'
import { findCustomer, insertCustomer } from '../db/stores/customers.ts'
import type { CustomerRow } from '../db/stores/customers.ts'
import {
  findLinkedCustomerId,
  findMirroringClock,
  findProfileOfApp,
  pinToProfile,
} from '../db/stores/stripe-imports.ts'
import type { DB } from '../db/types.gen.ts'
import { isKnownCurrency } from '../domain/currency.ts'
import { DomainError, orNull } from '../domain/errors.ts'
import type { StripeSubscriberView, StripeSubscriptionView } from '../stripe/subscription-types.ts'
import { loadSettings } from './settings.ts'

interface Subscribing {
  readonly appId: string
  readonly subscriber: StripeSubscriberView
  readonly there: StripeSubscriptionView
}

interface Making {
  readonly newId: () => string
  /** Real time. */
  readonly now: () => Date
}

/**
 * The customer of ours who is linked to the Stripe customer; else the one that its metadata names, linked now; else a new
 * one. Errors: stripe_customer_not_found, currency_mismatch, conflict, unknown_currency, duplicate_key.
 */
export async function importedCustomer(
  making: Making,
  trx: Transaction<DB>,
  subscribing: Subscribing,
): Promise<CustomerRow> {
  const { appId, subscriber, there } = subscribing
  if (subscriber.deleted)
    throw new DomainError('stripe_customer_not_found', `The Stripe customer ${subscriber.id} was deleted.`)
  const linkedId = await findLinkedCustomerId(trx, { appId, stripeCustomerId: subscriber.id })
  const key = keyOf(subscribing)
  const existing = await livingCustomer(trx, linkedId ?? key)
  const customer = existing ?? (await newCustomer(making, trx, { ...subscribing, key }))
  if (customer.currency !== null && customer.currency !== there.currency) {
    const detail = `The customer ${customer.id} is billed in ${customer.currency}, not in ${there.currency}.`
    throw new DomainError('currency_mismatch', detail)
  }
  await link(making, trx, { ...subscribing, customerId: customer.id })
  return customer
}

const keyOf = ({ there, subscriber }: Subscribing): string =>
  there.customerKey ?? subscriber.customerKey ?? subscriber.id

async function livingCustomer(trx: Transaction<DB>, idOrKey: string): Promise<CustomerRow | null> {
  const customer = await findCustomer(trx, idOrKey)
  return customer === null || customer.deletedAt !== null ? null : customer
}

async function newCustomer(
  { newId, now }: Making,
  trx: Transaction<DB>,
  { key, there, subscriber, appId }: Subscribing & { readonly key: string },
): Promise<CustomerRow> {
  const currency = subscriber.currency ?? there.currency
  if (!isKnownCurrency(currency))
    throw new DomainError('unknown_currency', `"${currency}" is not a known currency.`)
  const id = newId()
  const customer = {
    id,
    key,
    name: subscriber.name ?? subscriber.email ?? key,
    description: null,
    metadata: null,
    primaryEmail: subscriber.email,
    currency: there.currency,
    timezone: 'UTC',
    billingAddress: null,
    subjectKeys: there.subjectKeys ?? subscriber.subjectKeys ?? [subscriber.id],
    testClockId: await clockOf(trx, appId, subscriber.testClockId),
  }
  await insertCustomer(trx, customer, now())
  return (await findCustomer(trx, id)) ?? missing(id)
}

function missing(id: string): never {
  throw new Error(`customer ${id} was inserted and is not there`)
}

/** A customer whose time at Stripe is not ours would be billed for all of it at once. */
async function clockOf(
  trx: Transaction<DB>,
  appId: string,
  stripeTestClockId: string | null,
): Promise<string | null> {
  if (stripeTestClockId === null) return null
  const clock = await findMirroringClock(trx, { appId, stripeTestClockId })
  if (clock !== null) return clock
  throw new DomainError(
    'conflict',
    `The Stripe customer stands on the test clock ${stripeTestClockId}: link a customer of a test clock of ours to it first.`,
  )
}

/** A card that was saved for the Stripe subscription pays here too, unless another was chosen. */
async function link(
  { now }: Making,
  trx: Transaction<DB>,
  { appId, subscriber, there, customerId }: Subscribing & { readonly customerId: string },
): Promise<void> {
  const links = await listCustomerLinks(trx, customerId)
  const known = links.find((each) => each.appId === appId)
  if (known !== undefined && known.stripeCustomerId !== subscriber.id) {
    const detail = `The customer ${customerId} is linked to ${known.stripeCustomerId}, not to ${subscriber.id}.`
    throw new DomainError('conflict', detail)
  }
  await upsertCustomerLink(
    trx,
    {
      customerId,
      appId,
      stripeCustomerId: subscriber.id,
      stripeDefaultPaymentMethodId:
        known?.stripeDefaultPaymentMethodId ?? there.defaultPaymentMethodId ?? null,
      stripeTestClockId: subscriber.testClockId,
    },
    now(),
  )
}

/**
 * They are billed through the app of their subscription: a customer whom another profile would bill is pinned to one of
 * that app. Errors: profile_missing.
 */
export async function billedThrough(
  trx: Transaction<DB>,
  { appId, customerId }: { readonly appId: string; readonly customerId: string },
): Promise<void> {
  const isDefault = await usesApp(trx, appId, customerId)
  if (isDefault) return
  const billingProfileId = await findProfileOfApp(trx, appId)
  if (billingProfileId === null)
    throw new DomainError('profile_missing', `No billing profile bills through the app ${appId}.`)
  if (await pinToProfile(trx, { customerId, billingProfileId })) return
  throw new DomainError('conflict', `The customer ${customerId} is billed through another app.`)
}

async function usesApp(trx: Transaction<DB>, appId: string, customerId: string): Promise<boolean> {
  return (await orNull(loadSettings(trx, customerId), 'profile_missing'))?.app.id === appId
}
