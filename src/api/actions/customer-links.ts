import { DomainError } from '../../domain/errors.ts'
import {
  findApp,
  findAppsById,
  findDefaultApp,
  listCustomerLinks,
  upsertCustomerLink,
} from '../../db/stores/apps.ts'
import type { AppRow, CustomerLink } from '../../db/stores/apps.ts'
import type { ApiDeps } from '../deps.ts'
import { presentCustomerLink } from '../presenters/app.ts'
import type {
  StripeCustomerAppData,
  StripeCustomerAppDataBase,
  StripeCustomerAppDataItem,
} from '../schemas/apps.ts'

async function appOf({ db }: ApiDeps, appId: string | undefined): Promise<AppRow> {
  const app = appId === undefined ? await findDefaultApp(db) : await findApp(db, appId)
  if (app !== null) return app
  const why =
    appId === undefined ? 'No Stripe app is installed; install one first.' : `There is no app ${appId}.`
  throw new DomainError('validation_failed', why, { field: 'id' })
}

/** What Stripe says of a customer and the payment method that is asked for. */
async function inspectLink(
  deps: ApiDeps,
  app: AppRow,
  data: StripeCustomerAppDataBase,
): Promise<Omit<CustomerLink, 'customerId'>> {
  const { stripeCustomerId, stripeDefaultPaymentMethodId } = data
  const customer = await deps.stripe.getCustomer(app, stripeCustomerId)
  if (customer.deleted) {
    throw new DomainError(
      'stripe_customer_not_found',
      `The Stripe customer ${stripeCustomerId} was deleted.`,
      { field: 'stripeCustomerId' },
    )
  }
  if (stripeDefaultPaymentMethodId !== undefined) {
    const method = await deps.stripe.getPaymentMethod(app, stripeDefaultPaymentMethodId)
    if (method.customerId !== stripeCustomerId) {
      const detail = `The payment method ${stripeDefaultPaymentMethodId} is not attached to ${stripeCustomerId}.`
      throw new DomainError('stripe_payment_method_not_found', detail, {
        field: 'stripeDefaultPaymentMethodId',
      })
    }
  }
  return {
    appId: app.id,
    stripeCustomerId,
    stripeDefaultPaymentMethodId: stripeDefaultPaymentMethodId ?? null,
    stripeTestClockId: customer.testClockId,
  }
}

/** Links a customer to existing Stripe customers; all of them are checked at Stripe before one is stored. */
export async function linkCustomer(
  deps: ApiDeps,
  customerId: string,
  items: readonly StripeCustomerAppDataItem[],
): Promise<readonly StripeCustomerAppData[]> {
  const links: Omit<CustomerLink, 'customerId'>[] = []
  for (const item of items) links.push(await inspectLink(deps, await appOf(deps, item.id), item))
  await deps.db.transaction().execute(async (trx) => {
    for (const link of links) await upsertCustomerLink(trx, { ...link, customerId }, deps.now())
  })
  const appIds = new Set(links.map((link) => link.appId))
  return (await customerLinks(deps, customerId)).filter(({ id }) => appIds.has(id))
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
