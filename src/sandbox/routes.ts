import { lineRoutes } from './invoices/line-routes.ts'
import { invoiceRoutes } from './invoices/routes.ts'
import { accountRoutes } from './resources/account.ts'
import { customerRoutes } from './resources/customers.ts'
import { eventRoutes } from './resources/events.ts'
import { invoiceItemRoutes } from './resources/invoice-items.ts'
import { paymentMethodRoutes } from './resources/payment-methods.ts'
import { paymentRoutes } from './resources/payments.ts'
import { clockRoutes } from './resources/test-clocks.ts'
import { endpointRoutes } from './resources/webhook-endpoints.ts'
import { balanceRoutes } from './resources/balance-transactions.ts'
import { priceRoutes } from './resources/prices.ts'
import { productRoutes } from './resources/products.ts'
import { checkoutRoutes } from './resources/checkout.ts'
import { creditNoteRoutes } from './resources/credit-notes.ts'
import { disputeRoutes } from './resources/disputes.ts'
import { portalRoutes } from './resources/portal.ts'
import { refundRoutes } from './resources/refunds.ts'
import { setupIntentRoutes } from './resources/setup-intents.ts'
import { taxIdRoutes } from './resources/tax-ids.ts'
import { taxSettingsRoutes } from './resources/tax-settings.ts'
import { taxRoutes } from './resources/tax.ts'
import { subscriptionRoutes } from './subscriptions/routes.ts'
import type { Route } from './route.ts'

/** Every endpoint the sandbox serves. */
export const routes: readonly Route[] = [
  ...accountRoutes,
  ...clockRoutes,
  ...customerRoutes,
  ...endpointRoutes,
  ...eventRoutes,
  ...invoiceItemRoutes,
  ...invoiceRoutes,
  ...lineRoutes,
  ...paymentMethodRoutes,
  ...paymentRoutes,
  ...balanceRoutes,
  ...priceRoutes,
  ...productRoutes,
  ...checkoutRoutes,
  ...creditNoteRoutes,
  ...disputeRoutes,
  ...portalRoutes,
  ...refundRoutes,
  ...setupIntentRoutes,
  ...subscriptionRoutes,
  ...taxIdRoutes,
  ...taxRoutes,
  ...taxSettingsRoutes,
]
