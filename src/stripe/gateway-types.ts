import type { AdjustmentsGateway } from './adjustment-types.ts'
import type {
  ItemContent,
  ItemsQuery,
  ItemToCreate,
  LastInvoiceRequest,
  StripeItemView,
} from './invoice-item-types.ts'
import type { CheckoutGateway } from './checkout-types.ts'
import type { MissingPermission } from './permissions.ts'
import type { StripePriceView, StripeSubscriberView, StripeSubscriptionView } from './subscription-types.ts'
import type {
  CustomerPaymentMethod,
  CustomerToCreate,
  PaymentMethodView,
  StripeCustomerView,
} from './customer-types.ts'
import type {
  InvoiceQuery,
  InvoiceRef,
  InvoiceToFinalize,
  InvoiceToPay,
  InvoiceToSync,
  StripeInvoiceView,
  SyncedInvoice,
} from './invoice-types.ts'
import type { InspectedKey, SecretOwner, StoredApp, TestClockTarget, TestClockView } from './types.ts'
import type {
  CreatedWebhookEndpoint,
  EventsPage,
  EventsQuery,
  VerifiedEvent,
  WebhookEndpointRequest,
  WebhookEndpointState,
  WebhookToVerify,
} from './webhook-types.ts'

/**
 * Everything the product asks of Stripe. Every write is repeatable. Failures of the call are `StripeFailure` (see
 * `classifyStripeError`); our own refusals are `DomainError`.
 */
export interface StripeGateway extends AdjustmentsGateway, CheckoutGateway {
  /**
   * Errors: stripe_key_invalid, stripe_key_publishable, stripe_key_unauthorized, stripe_key_live_refused,
   * stripe_permission_missing; StripeFailure when Stripe is not reachable.
   */
  readonly inspectKey: (key: string) => Promise<InspectedKey>
  /** What a restricted key may not do of what is asked of Stripe. Errors: StripeFailure. */
  readonly probePermissions: (key: string) => Promise<readonly MissingPermission[]>
  readonly encryptSecret: (plain: string, owner: SecretOwner) => string
  /** Errors: stripe_secret_unreadable (another master key, another app or field, or damaged). */
  readonly decryptSecret: (sealed: string, owner: SecretOwner) => string
  /** The same secret under the present master key; null where it is already. Throws stripe_secret_unreadable. */
  readonly resealSecret: (sealed: string, owner: SecretOwner) => string | null

  /** At install, before the app's row exists: hence the key in the clear. */
  readonly createWebhookEndpoint: (
    key: string,
    request: WebhookEndpointRequest,
  ) => Promise<CreatedWebhookEndpoint>
  /** Switches it on and lets it send every event that we need. */
  readonly enableWebhookEndpoint: (app: StoredApp) => Promise<void>
  /** Deleting one that is gone is no error. */
  readonly deleteWebhookEndpoint: (app: StoredApp) => Promise<void>
  readonly checkWebhookEndpoint: (app: StoredApp) => Promise<WebhookEndpointState>
  /** Errors: webhook_signature_invalid. */
  readonly verifyWebhook: (request: WebhookToVerify) => VerifiedEvent
  readonly listEvents: (app: StoredApp, query: EventsQuery) => Promise<EventsPage>
  /** The newest event of any type, where polling begins; null when the account has none. */
  readonly newestEventId: (app: StoredApp) => Promise<string | null>

  /** Errors: stripe_customer_not_found; a deleted one is returned as such. */
  readonly getCustomer: (app: StoredApp, stripeCustomerId: string) => Promise<StripeCustomerView>
  readonly createCustomer: (app: StoredApp, customer: CustomerToCreate) => Promise<StripeCustomerView>
  /** Attaches (already attached is fine); a refused card is a StripeFailure of kind 'outcome'. */
  readonly attachPaymentMethod: (app: StoredApp, request: CustomerPaymentMethod) => Promise<PaymentMethodView>
  readonly setDefaultPaymentMethod: (
    app: StoredApp,
    request: CustomerPaymentMethod,
  ) => Promise<StripeCustomerView>
  /** Errors: stripe_payment_method_not_found. */
  readonly getPaymentMethod: (app: StoredApp, paymentMethodId: string) => Promise<PaymentMethodView>

  /**
   * Creates or adopts the Stripe invoice, brings its lines in line with ours and compares. Errors: stripe_totals_differ
   * (details: ours, theirs, lines that are not ours). One that is past draft is only compared.
   */
  readonly syncInvoice: (app: StoredApp, invoice: InvoiceToSync) => Promise<SyncedInvoice>
  /** The same for an invoice that still grows. Errors: stripe_draft_finalized, when somebody finalized it at Stripe. */
  readonly syncDraft: (app: StoredApp, invoice: InvoiceToSync) => Promise<SyncedInvoice>
  /** The Stripe invoice with our id in its metadata, over all pages; null when there is none. */
  readonly findInvoice: (app: StoredApp, query: InvoiceQuery) => Promise<string | null>
  /** Already finalized: the view. */
  readonly finalizeInvoice: (app: StoredApp, invoice: InvoiceToFinalize) => Promise<StripeInvoiceView>
  /** Takes automatic tax off a draft. */
  readonly withoutTax: (app: StoredApp, invoice: InvoiceRef) => Promise<void>
  /** A decline, a missing payment method and 3-D Secure are outcomes in the view, not exceptions. */
  readonly payInvoice: (app: StoredApp, invoice: InvoiceToPay) => Promise<StripeInvoiceView>
  readonly sendInvoice: (app: StoredApp, invoice: InvoiceRef) => Promise<StripeInvoiceView>
  readonly voidInvoice: (app: StoredApp, invoice: InvoiceRef) => Promise<StripeInvoiceView>
  readonly markUncollectible: (app: StoredApp, invoice: InvoiceRef) => Promise<StripeInvoiceView>
  /** One that is gone already is no error; one that is finalized is (void it instead). */
  readonly deleteDraft: (app: StoredApp, stripeInvoiceId: string) => Promise<void>
  /** Errors: stripe_invoice_not_found. */
  readonly getInvoice: (app: StoredApp, stripeInvoiceId: string) => Promise<StripeInvoiceView>

  /** The items of an invoice of ours, wherever Stripe put them. */
  readonly listItems: (app: StoredApp, query: ItemsQuery) => Promise<readonly StripeItemView[]>
  readonly createItem: (app: StoredApp, item: ItemToCreate) => Promise<StripeItemView>
  readonly updateItem: (app: StoredApp, stripeItemId: string, item: ItemContent) => Promise<StripeItemView>
  /** One that is gone already is no error. */
  readonly deleteItem: (app: StoredApp, stripeItemId: string) => Promise<void>
  /** The invoice of a Stripe subscription that still takes items; null when there is none. */
  readonly findDraft: (app: StoredApp, stripeSubscriptionId: string) => Promise<string | null>
  /** A draft of its own for what no invoice of a subscription takes up; Stripe finalizes and collects it. */
  readonly lastInvoice: (app: StoredApp, request: LastInvoiceRequest) => Promise<string>
  /** Our invoices that a Stripe invoice has items of. */
  readonly invoicesOnLines: (app: StoredApp, stripeInvoiceId: string) => Promise<readonly string[]>

  /** Errors: stripe_price_not_found. */
  readonly getPrice: (app: StoredApp, priceId: string) => Promise<StripePriceView>
  /** Errors: stripe_subscription_not_found. */
  readonly getSubscription: (app: StoredApp, subscriptionId: string) => Promise<StripeSubscriptionView>
  /** Errors: stripe_customer_not_found; a deleted one is returned as such. */
  readonly getSubscriber: (app: StoredApp, stripeCustomerId: string) => Promise<StripeSubscriberView>

  readonly createTestClock: (
    app: StoredApp,
    clock: { readonly name: string; readonly frozenTimeMs: number },
  ) => Promise<TestClockView>
  readonly getTestClock: (app: StoredApp, testClockId: string) => Promise<TestClockView>
  /** Advances and waits until ready; nothing to do when it stands there or later. */
  readonly advanceTestClock: (app: StoredApp, target: TestClockTarget) => Promise<TestClockView>
}
