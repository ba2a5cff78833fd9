import type { AppRow, CustomerAppRow } from '../../db/stores/apps.ts'
import { mayReadEvents, stripePermissions } from '../../stripe/permissions.ts'
import type { MarketplaceListing, StripeApp, StripeCustomerAppData } from '../schemas/apps.ts'
import { instant, withoutNulls } from './without-nulls.ts'

/** What can be installed: a Stripe account, by its API key. */
export const stripeListing: MarketplaceListing = {
  type: 'stripe',
  name: 'Stripe',
  description: 'Sends invoices and collects payments through a Stripe account.',
  capabilities: [
    {
      type: 'calculateTax',
      key: 'stripe_calculate_tax',
      name: 'Calculate tax',
      description: 'Tax is computed by Stripe Tax.',
    },
    {
      type: 'invoiceCustomers',
      key: 'stripe_invoice_customer',
      name: 'Invoice customers',
      description: 'Invoices are issued at Stripe.',
    },
    {
      type: 'collectPayments',
      key: 'stripe_collect_payment',
      name: 'Collect payments',
      description: 'Payments are collected by Stripe.',
    },
  ],
  installMethods: ['with_api_key'],
}

/** An installed app in the contract's words; of its key only the mask. */
export function presentApp(row: AppRow): StripeApp {
  const { description, metadata, customerPortalUrl } = row
  return {
    id: row.id,
    type: 'stripe',
    name: row.name,
    listing: stripeListing,
    status: row.status === 'unauthorized' ? 'unauthorized' : 'ready',
    stripeAccountId: row.stripeAccountId ?? '',
    livemode: row.livemode,
    maskedAPIKey: row.apiKeyMask ?? '',
    setup: row.setup === 'manual' ? 'manual' : 'managed',
    missingPermissions: stripePermissions
      .filter(({ slug }) => row.missingPermissions.includes(slug))
      .map(({ slug, neededFor, withoutIt }) => ({ permission: slug, neededFor, withoutIt })),
    webhook: presentWebhook(row),
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    ...withoutNulls({
      description,
      metadata,
      customerPortalUrl,
      statusReason: row.statusReason ?? row.webhookProblem,
      deletedAt: instant(row.deletedAt),
    }),
  }
}

function presentWebhook(row: AppRow): StripeApp['webhook'] {
  const { webhookEndpointId: endpointId, webhookProblem: problem } = row
  const isUnsent = endpointId === null || row.pollsEvents
  return {
    path: `/api/v1/apps/${row.id}/stripe/webhook`,
    hasSecret: row.webhookSecretEncrypted !== null,
    isPolled: isUnsent && mayReadEvents(row),
    ...withoutNulls({
      endpointId,
      problem,
      checkedAt: instant(row.webhookCheckedAt),
      previousSecretValidUntil: instant(row.webhookSecretPreviousUntil),
    }),
  }
}

/** Who a customer is at an app. */
export function presentCustomerLink(link: CustomerAppRow, app: AppRow): StripeCustomerAppData {
  const { stripeCustomerId, stripeDefaultPaymentMethodId } = link
  return {
    id: link.appId,
    type: 'stripe',
    stripeCustomerId,
    app: presentApp(app),
    ...withoutNulls({ stripeDefaultPaymentMethodId }),
  }
}
