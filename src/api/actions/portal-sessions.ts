import { DomainError } from '../../domain/errors.ts'
import type { AppRow } from '../../db/stores/apps.ts'
import { findCustomerLink, setPortalConfiguration } from '../../db/stores/customer-links.ts'
import type { CustomerRow } from '../../db/stores/customers.ts'
import type { PortalSessionView, PortalToOpen } from '../../stripe/checkout-types.ts'
import { StripeFailure } from '../../stripe/failures.ts'
import { lacksPermission } from '../../stripe/permissions.ts'
import type { ApiDeps } from '../deps.ts'
import { presentPortalSession } from '../presenters/checkout.ts'
import type { PortalSession, PortalSessionCreate } from '../schemas/checkout.ts'
import { billingApp } from './billing-app.ts'

/** What stands for the ids of a portal that has an address of its own and no sessions. */
const TYPED = 'customer_portal_url'

/**
 * Opens the customer portal of the app that bills the customer. An app whose portal's address was typed in answers with
 * that. Errors: not_found, customer_not_linked, and what Stripe refuses.
 */
export async function openPortal(
  deps: ApiDeps,
  customer: CustomerRow,
  input: PortalSessionCreate,
): Promise<PortalSession> {
  const { app } = await billingApp(deps, customer.id)
  const link = await findCustomerLink(deps.db, customer.id, app.id)
  if (link === null) {
    const detail = `The customer is not linked to a Stripe customer of ${app.name}.`
    throw new DomainError('customer_not_linked', detail)
  }
  const { stripeCustomerId } = link
  if (app.customerPortalUrl !== null) return typedPortal(deps, app, { stripeCustomerId, input })
  const request = {
    stripeCustomerId,
    ...(input.locale !== undefined && input.locale !== '' && { locale: input.locale }),
    ...(input.returnUrl !== undefined && { returnUrl: input.returnUrl }),
  }
  return presentPortalSession(await open(deps, app, { request, configurationId: input.configurationId }))
}

interface Opening {
  readonly request: Omit<PortalToOpen, 'configurationId'>
  readonly configurationId: string | undefined
}

/** With our configuration, which is made once and again when it is gone at Stripe. */
async function open(
  deps: ApiDeps,
  app: AppRow,
  { request, configurationId }: Opening,
): Promise<PortalSessionView> {
  if (configurationId !== undefined)
    return await deps.stripe.createPortalSession(app, { ...request, configurationId })
  const known = app.portalConfigurationId
  if (known === null)
    return await deps.stripe.createPortalSession(app, {
      ...request,
      configurationId: await configure(deps, app),
    })
  try {
    return await deps.stripe.createPortalSession(app, { ...request, configurationId: known })
  } catch (error) {
    if (!(error instanceof StripeFailure) || error.failure.param !== 'configuration') throw error
    return await deps.stripe.createPortalSession(app, {
      ...request,
      configurationId: await configure(deps, app),
    })
  }
}

/** Null, the account's own default, for a key that may open the portal but not configure it. */
async function configure(deps: ApiDeps, app: AppRow): Promise<string | null> {
  try {
    const request = { appId: app.id, replaces: app.portalConfigurationId }
    const id = await deps.stripe.createPortalConfiguration(app, request)
    await setPortalConfiguration(deps.db, app.id, id)
    return id
  } catch (error) {
    if (lacksPermission(error)) return null
    throw error
  }
}

function typedPortal(
  deps: ApiDeps,
  app: AppRow,
  { stripeCustomerId, input }: { readonly stripeCustomerId: string; readonly input: PortalSessionCreate },
): PortalSession {
  return {
    id: TYPED,
    stripeCustomerId,
    configurationId: TYPED,
    livemode: app.livemode,
    createdAt: deps.now().toISOString(),
    returnUrl: input.returnUrl ?? '',
    locale: input.locale ?? 'auto',
    url: app.customerPortalUrl ?? '',
  }
}
