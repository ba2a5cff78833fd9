import type { Stripe } from 'stripe'
import type { PortalConfigurationToCreate, PortalSessionView, PortalToOpen } from './checkout-types.ts'
import type { Connection } from './client.ts'
import { metadataKeys } from './metadata.ts'
import { pastPinned } from './pinned.ts'

/** What customers may do there: all but subscriptions, which are ours. */
const features: Stripe.BillingPortal.ConfigurationCreateParams.Features = {
  payment_method_update: { enabled: true },
  customer_update: { enabled: true, allowed_updates: ['address', 'email', 'tax_id'] },
  invoice_history: { enabled: true },
  subscription_cancel: { enabled: false },
  subscription_update: { enabled: false },
}

/** Makes the portal of an app; its id. */
export async function createPortalConfiguration(
  connection: Connection,
  { appId, replaces }: PortalConfigurationToCreate,
): Promise<string> {
  const after = replaces === null ? '' : `:after:${replaces}`
  const { id } = await pastPinned(`portal:${appId}${after}`, async (idempotencyKey) =>
    connection.call('billing_portal.configurations.create', (stripe) =>
      stripe.billingPortal.configurations.create(
        { features, metadata: { [metadataKeys.app]: appId } },
        { idempotencyKey },
      ),
    ),
  )
  return id
}

/** Opens it for a customer; a session is good for a few minutes, so each call makes one. */
export async function createPortalSession(
  connection: Connection,
  { stripeCustomerId, configurationId, locale, returnUrl }: PortalToOpen,
): Promise<PortalSessionView> {
  const session = await connection.call('billing_portal.sessions.create', (stripe) =>
    stripe.billingPortal.sessions.create({
      customer: stripeCustomerId,
      ...(configurationId !== null && { configuration: configurationId }),
      ...(locale !== undefined && { locale }),
      ...(returnUrl !== undefined && { return_url: returnUrl }),
    }),
  )
  const { configuration } = session
  return {
    id: session.id,
    stripeCustomerId,
    configurationId: typeof configuration === 'string' ? configuration : configuration.id,
    livemode: session.livemode,
    createdMs: session.created * 1000,
    returnUrl: session.return_url,
    locale: session.locale,
    url: session.url,
  }
}
