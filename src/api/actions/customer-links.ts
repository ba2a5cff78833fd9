import type { Transaction } from 'kysely'
import { whenTheirTurn } from '../../billing/stripe-customer-turn.ts'
import { DomainError } from '../../domain/errors.ts'
import {
  findApp,
  findAppsById,
  findDefaultApp,
  listCustomerLinks,
  upsertCustomerLink,
} from '../../db/stores/apps.ts'
import type { AppRow, CustomerLink } from '../../db/stores/apps.ts'
import type { CustomerRow } from '../../db/stores/customers.ts'
import { insertOutbox } from '../../db/stores/outbox.ts'
import { findCustomerLink, lockCustomerLink } from '../../db/stores/customer-links.ts'
import type { DB } from '../../db/types.gen.ts'
import type { StripeCustomerView } from '../../stripe/customer-types.ts'
import type { ApiDeps } from '../deps.ts'
import { presentCustomerLink } from '../presenters/app.ts'
import type {
  StripeCustomerAppData,
  StripeCustomerAppDataBase,
  StripeCustomerAppDataItem,
} from '../schemas/apps.ts'

/** The installed app of an id; none given: the one that bills by default. Errors: validation_failed. */
export async function appOf({ db }: Pick<ApiDeps, 'db'>, appId: string | undefined): Promise<AppRow> {
  const app = appId === undefined ? await findDefaultApp(db) : await findApp(db, appId)
  if (app !== null) return app
  const why =
    appId === undefined ? 'No Stripe app is installed; install one first.' : `There is no app ${appId}.`
  throw new DomainError('validation_failed', why, { field: appId === undefined ? 'id' : 'appId' })
}

/** A Stripe customer that is there. Errors: stripe_customer_not_found. */
export async function livingStripeCustomer(
  deps: ApiDeps,
  app: AppRow,
  id: string,
): Promise<StripeCustomerView> {
  const customer = await deps.stripe.getCustomer(app, id)
  if (!customer.deleted) return customer
  throw new DomainError('stripe_customer_not_found', `The Stripe customer ${id} was deleted.`, {
    field: 'stripeCustomerId',
  })
}

/** A payment method of nobody becomes the customer's; another's is refused. */
async function claimPaymentMethod(
  deps: ApiDeps,
  app: AppRow,
  of: { readonly stripeCustomerId: string; readonly paymentMethodId: string },
): Promise<void> {
  const { stripeCustomerId, paymentMethodId } = of
  const method = await deps.stripe.getPaymentMethod(app, paymentMethodId)
  if (method.isUnread === true || method.customerId === stripeCustomerId) return
  if (method.customerId === null) {
    await deps.stripe.attachPaymentMethod(app, of)
    return
  }
  const detail = `The payment method ${paymentMethodId} belongs to another Stripe customer than ${stripeCustomerId}.`
  throw new DomainError('stripe_payment_method_not_found', detail, { field: 'stripeDefaultPaymentMethodId' })
}

export interface InspectedLink extends Omit<CustomerLink, 'customerId'> {
  readonly app: AppRow
  readonly there: StripeCustomerView
}

/** What Stripe says of a customer and the payment method that is asked for; nothing of theirs is changed but an attachment. */
async function inspectLink(
  deps: ApiDeps,
  app: AppRow,
  data: StripeCustomerAppDataBase,
): Promise<InspectedLink> {
  const { stripeCustomerId, stripeDefaultPaymentMethodId: paymentMethodId } = data
  const there = await livingStripeCustomer(deps, app, stripeCustomerId)
  if (paymentMethodId !== undefined)
    await claimPaymentMethod(deps, app, { stripeCustomerId, paymentMethodId })
  return {
    app,
    there,
    appId: app.id,
    stripeCustomerId,
    stripeDefaultPaymentMethodId: paymentMethodId ?? null,
    stripeTestClockId: there.testClockId,
  }
}

/** Where there is an address of ours that Stripe does not have. */
export async function tellEmail(
  deps: ApiDeps,
  { primaryEmail: email }: Pick<CustomerRow, 'primaryEmail'>,
  { app, there }: { readonly app: AppRow; readonly there: StripeCustomerView },
): Promise<void> {
  if (email === null || there.email === email) return
  await deps.stripe.setCustomerEmail(app, { stripeCustomerId: there.id, email })
}

/** In a transaction: the link, and what is to be woken by it. */
export async function storeLink(
  trx: Transaction<DB>,
  link: CustomerLink,
  { now, hasPaymentMethod }: { readonly now: Date; readonly hasPaymentMethod: boolean },
): Promise<void> {
  const before = await findCustomerLink(trx, link.customerId, link.appId)
  const named = link.stripeDefaultPaymentMethodId
  const isAnother = named !== null && named !== before?.stripeDefaultPaymentMethodId
  await upsertCustomerLink(trx, link, now)
  const payload = { appId: link.appId, hasPaymentMethod, isAnother }
  await insertOutbox(trx, { kind: 'customer_linked', subjectId: link.customerId, payload })
}

interface Kept {
  /** The payment method of the Stripe customer stays: which one that is, is read in its turn. */
  readonly keepsPaymentMethod?: boolean
  /** The Stripe customer was not named, but found as who is linked: another by then is not replaced. */
  readonly isWhoIsLinked?: boolean
}

type LinkItem = StripeCustomerAppDataItem & Pick<CustomerLink, 'labels'> & Kept
type LinkToStore = InspectedLink & Pick<CustomerLink, 'labels'> & Required<Kept>

/**
 * Links a customer to existing Stripe customers; all of them are checked at Stripe, and stored together. Errors:
 * validation_failed, stripe_customer_not_found, stripe_payment_method_not_found, stripe_customer_busy, and what Stripe
 * refuses.
 */
export async function linkCustomer(
  deps: ApiDeps,
  customer: Pick<CustomerRow, 'id' | 'primaryEmail'>,
  items: readonly LinkItem[],
): Promise<readonly StripeCustomerAppData[]> {
  const links: LinkToStore[] = []
  for (const item of items) {
    const app = await appOf(deps, item.id ?? item.appId)
    const { labels, keepsPaymentMethod = false, isWhoIsLinked = false } = item
    const inspected = await inspectLink(deps, app, item)
    links.push({ ...inspected, keepsPaymentMethod, isWhoIsLinked, ...(labels && { labels }) })
  }
  // In one order, lest two requests wait for each other.
  links.sort((a, b) => a.appId.localeCompare(b.appId))
  await store(deps, customer, links)
  // Without an address of ours, Stripe's is kept.
  for (const link of links) await tellEmail(deps, customer, link)
  const appIds = new Set(links.map((link) => link.appId))
  return (await customerLinks(deps, customer.id)).filter(({ id }) => appIds.has(id))
}

/**
 * A payment method that is named here is the default at Stripe too, which charges its own. In its turn: Stripe's default
 * of a moment before would be taken for one that was chosen after it, and of two that are named the older could win there.
 */
async function store(
  deps: ApiDeps,
  customer: Pick<CustomerRow, 'id'>,
  links: readonly LinkToStore[],
): Promise<void> {
  const changing = links.filter(
    ({ stripeDefaultPaymentMethodId: named, keepsPaymentMethod }) => named !== null || keepsPaymentMethod,
  )
  await whenTheirTurn(deps, changing, async () => {
    // First, for Stripe tells of the default that is set, and it has to be known whose that is.
    await storeAsOfNow(deps, customer, links)
    // What it was when it was looked at may have been changed by whoever's turn was before.
    for (const { app, stripeCustomerId, stripeDefaultPaymentMethodId: paymentMethodId } of links)
      if (paymentMethodId !== null)
        await deps.stripe.setDefaultPaymentMethod(app, { stripeCustomerId, paymentMethodId })
  })
}

async function storeAsOfNow(
  deps: ApiDeps,
  { id: customerId }: Pick<CustomerRow, 'id'>,
  links: readonly LinkToStore[],
): Promise<void> {
  const now = deps.now()
  await deps.db.transaction().execute(async (trx) => {
    for (const { app: _app, there, keepsPaymentMethod, isWhoIsLinked, ...named } of links) {
      const before = await lockCustomerLink(trx, customerId, named.appId)
      const isLinked = before?.stripeCustomerId === named.stripeCustomerId
      if (isWhoIsLinked && !isLinked) throw linkedToAnother(named)
      const charged =
        keepsPaymentMethod && isLinked
          ? { stripeDefaultPaymentMethodId: before.stripeDefaultPaymentMethodId }
          : { paymentMethodSetAt: now }
      const link = { ...named, customerId, ...charged }
      const hasPaymentMethod = (link.stripeDefaultPaymentMethodId ?? there.defaultPaymentMethodId) !== null
      await storeLink(trx, link, { now, hasPaymentMethod })
    }
  })
}

function linkedToAnother({ stripeCustomerId }: Pick<CustomerLink, 'stripeCustomerId'>): DomainError {
  const detail = `The customer is not linked to ${stripeCustomerId} any more: another call changed that.`
  return new DomainError('stripe_customer_busy', detail)
}

/** Who a customer is at each installed app. */
export async function customerLinks(
  { db }: ApiDeps,
  customerId: string,
): Promise<readonly StripeCustomerAppData[]> {
  const links = await listCustomerLinks(db, customerId)
  const apps = new Map(
    (
      await findAppsById(
        db,
        links.map((link) => link.appId),
      )
    ).map((app) => [app.id, app]),
  )
  return links.flatMap((link) => {
    const app = apps.get(link.appId)
    return app === undefined ? [] : [presentCustomerLink(link, app)]
  })
}

/** The link to the app that bills by default. Errors: not_found. */
export async function defaultCustomerLink(deps: ApiDeps, customerId: string): Promise<StripeCustomerAppData> {
  const app = await findDefaultApp(deps.db)
  const link = (await customerLinks(deps, customerId)).find(({ id }) => id === app?.id)
  if (link === undefined) throw new DomainError('not_found', 'The customer is not linked to Stripe.')
  return link
}
