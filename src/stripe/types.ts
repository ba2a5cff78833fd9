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
/** What a Stripe account is to us: the row of an installed app. Secrets stay encrypted until a call needs them. */
export interface StoredApp {
  readonly id: string
  readonly livemode: boolean
  readonly apiKeyEncrypted: string | null
  readonly webhookSecretEncrypted: string | null
  readonly webhookEndpointId: string | null
  readonly stripeAccountId: string | null
}

export interface LimiterOptions {
  /** Requests a second of one live account (Stripe: 100). */
  readonly livePerSecond: number
  /** Requests a second of one test account (Stripe: 25). */
  readonly testPerSecond: number
  /** Requests a second to one endpoint of an account (Stripe: 25). */
  readonly endpointPerSecond: number
}

export interface StripeGatewayOptions {
  /** At least 32 bytes, or a text of at least 32 characters. Every stored secret is sealed under it. */
  readonly masterKey: Buffer | string
  /** The one of before, while secrets are sealed anew: it opens what is under it still. */
  readonly previousMasterKey?: Buffer | string
  /** Another address than api.stripe.com, e.g. the sandbox's http://127.0.0.1:12111. */
  readonly baseUrl?: string
  /** Live keys are refused unless this is true, and always refused with a `baseUrl`. */
  readonly allowLiveKeys?: boolean
  /** false switches the limiter off (the sandbox has no limits). */
  readonly limits?: LimiterOptions | false
  readonly keyWatch?: KeyWatch
  readonly observer?: StripeObserver
  /** One HTTP request; under the activity's own timeout. Default 15 000. */
  readonly timeoutMs?: number
}

/** Told of a key that Stripe does not accept any more, and of one that works again. Neither may throw. */
export interface KeyWatch {
  readonly refused: (app: StoredApp, reason: string) => Promise<void>
  readonly accepted: (app: StoredApp) => Promise<void>
}

/** Told of every call; metrics are made of it. */
export interface StripeObserver {
  readonly called: (call: {
    /** Method and resource without ids, e.g. `invoices.pay`. */
    readonly endpoint: string
    readonly outcome: 'ok' | 'rate_limited' | ClassifiedFailure['kind']
    readonly seconds: number
  }) => void
  /** How long a call was held back by the limiter. */
  readonly waited: (seconds: number) => void
}

export interface InspectedKey {
  /** Null where a restricted key may not read its account and Stripe does not name it. */
  readonly accountId: string | null
  readonly livemode: boolean
  /** Prefix and last four characters: all of a key that may ever be shown. */
  readonly keyMask: string
  readonly kind: 'secret' | 'restricted'
  /** Of the account, where Stripe tells: the supplier of a billing profile made at install. */
  readonly businessName: string | null
  /** ISO 3166-1 alpha-2. */
  readonly country: string | null
}

type SecretField = 'api_key' | 'webhook_secret'
export interface SecretOwner {
  readonly appId: string
  readonly field: SecretField
}

export interface WebhookEndpointRequest {
  readonly url: string
  readonly appId: string
  /** Default: `webhookEvents`. */
  readonly events?: readonly string[]
  /** Another endpoint than the one that an earlier request made: part of the idempotency key. */
  readonly again?: string
}
export interface CreatedWebhookEndpoint {
  readonly endpointId: string
  /** In the clear, only here: encrypt it before it is stored. */
  readonly secret: string
}
export interface WebhookEndpointState {
  readonly exists: boolean
  readonly enabled: boolean
  readonly url: string | null
  /** Events that we need and the endpoint does not send. */
  readonly missingEvents: readonly string[]
  /** The version of what it sends; null: the account’s. */
  readonly apiVersion: string | null
}

export interface WebhookToVerify {
  readonly rawBody: Buffer
  readonly header: string | undefined
  /** In the clear; while a secret is being rolled there are two. */
  readonly secrets: readonly string[]
  /** Signatures are always on real time; default now. */
  readonly nowMs?: number
}
/** Ids and types only: what an event says is never acted on, the object is fetched (billing rule 30). */
export interface VerifiedEvent {
  readonly id: string
  readonly type: string
  readonly objectId: string
  /** Our invoice, from the object's (or its parent's) metadata, where Stripe sends it. */
  readonly invoiceId: string | null
  readonly stripeInvoiceId: string | null
  readonly stripeCustomerId: string | null
  readonly createdMs: number
  readonly livemode: boolean
  readonly apiVersion: string | null
}

export interface StripeCustomerView {
  readonly id: string
  readonly deleted: boolean
  readonly email: string | null
  readonly name: string | null
  readonly defaultPaymentMethodId: string | null
  readonly testClockId: string | null
  /** Upper case, as everywhere with us; null until the customer was first invoiced. */
  readonly currency: string | null
}
export interface CustomerToCreate {
  /** Our id: part of the idempotency key and of the metadata. */
  readonly customerId: string
  readonly name?: string
  readonly email?: string
  /** Its tax location. */
  readonly address?: StripeAddress
  readonly testClockId?: string
  /** A Stripe customer that is gone: part of the idempotency key. */
  readonly replaces?: string
}
export interface StripeAddress {
  readonly country?: string
  readonly postal_code?: string
  readonly state?: string
  readonly city?: string
  readonly line1?: string
  readonly line2?: string
}
export interface PaymentMethodView {
  readonly id: string
  readonly type: string
  readonly customerId: string | null
  readonly cardBrand: string | null
  readonly cardLast4: string | null
  /** The key may not read it: it is taken as it was given. */
  readonly isUnread?: boolean
}
export interface CustomerPaymentMethod {
  readonly stripeCustomerId: string
  readonly paymentMethodId: string
}

export interface LineToSync {
  /** Our line id, kept in the Stripe line's metadata: what makes adding lines repeatable. */
  readonly lineId: string
  /** Net of discounts, in OUR minor units; negative for credits. */
  readonly amountMinor: bigint
  readonly description: string
  readonly fromMs: number
  readonly toMs: number
  /** Stripe's (`txcd_…`), and whether the price holds the tax; sent with automatic tax only. */
  readonly taxCode?: string
  readonly taxBehavior?: 'inclusive' | 'exclusive'
}
/** One of our lines within a line at Stripe. */
export interface LinePart {
  readonly lineId: string
  readonly amountMinor: bigint
}
export interface InvoiceToSync {
  readonly invoiceId: string
  readonly subscriptionId: string
  readonly stripeCustomerId: string
  /** Known from an earlier run; null makes the saga create or adopt. */
  readonly stripeInvoiceId: string | null
  /** invoices.sync_generation: part of every idempotency key (billing rule 31). */
  readonly generation: number
  /** How often it was rated while it ran: part of the keys of changes to a draft; 0 or left out where it never ran. */
  readonly run?: number
  /** Nobody has issued it yet: one that is void at Stripe was voided by hand while it grew, and another is made. */
  readonly isGrowing?: boolean
  /**
   * Lower bound for finding a lost invoice by metadata, real time; an hour of clock skew is allowed for. null (a customer
   * on a test clock, whose Stripe time is another) searches all of the customer's invoices.
   */
  readonly createdMs: number | null
  /** false only when no earlier try can have reached Stripe: it saves the search. Default true. */
  readonly mayExist?: boolean
  /** ISO 4217, upper case. */
  readonly currency: string
  readonly collectionMethod: 'charge_automatically' | 'send_invoice'
  /** send_invoice needs one of the two. */
  readonly daysUntilDue?: number
  readonly dueMs?: number
  readonly number?: string
  /** Shown on the invoice, at most 1500 characters. */
  readonly description?: string
  readonly defaultPaymentMethodId?: string
  /** Stripe Tax computes the tax; default false, and always sent. */
  readonly automaticTax?: boolean
  /** What it may be paid with; left out: what the account has enabled. */
  readonly paymentMethodTypes?: readonly string[]
  /** It is issued without the tax that was asked for; its lines stay as they were made. */
  readonly taxSkipped?: boolean
  readonly lines: readonly LineToSync[]
}
export interface SyncedInvoice {
  readonly stripeInvoiceId: string
  /** True when the invoice was found and not created by this call. */
  readonly adopted: boolean
  /** It is past draft: somebody finalized it, or an earlier run did. */
  readonly isFinal: boolean
}

export interface InvoiceRef {
  readonly invoiceId: string
  readonly stripeInvoiceId: string
  readonly generation: number
}
export interface InvoiceToFinalize extends InvoiceRef {
  readonly number?: string
}
export interface InvoiceToPay extends InvoiceRef {
  /** 1 for the first; a new attempt has a new idempotency key. */
  readonly attempt: number
  readonly paymentMethodId?: string
}

export type StripeInvoiceStatus = 'draft' | 'open' | 'paid' | 'uncollectible' | 'void'
/** `unknown`: there is a payment, and the key may not read what became of it. */
type PaymentKind = 'none' | 'unknown' | 'succeeded' | 'processing' | 'requires_action' | 'failed'
/** The latest payment of an invoice. */
export interface PaymentOutcome {
  readonly kind: PaymentKind
  /** The charge, else the payment intent: what attempts are counted by (billing rule 30). */
  readonly paymentId: string | null
  readonly code: string | null
  readonly declineCode: string | null
  /** Trying the same payment method again is of no use: ask for a new one (billing rule 32). */
  readonly hard: boolean
  readonly message: string | null
}
export interface LineTax {
  readonly taxMinor: bigint
  /** The part of it that the line's amount holds already. */
  readonly includedMinor: bigint
}
/** A Stripe invoice as we need it; amounts in OUR minor units. */
export interface StripeInvoiceView {
  readonly stripeInvoiceId: string
  /** Our id, from the metadata; null for an invoice that is not ours. */
  readonly invoiceId: string | null
  readonly status: StripeInvoiceStatus
  readonly number: string | null
  /** Upper case. */
  readonly currency: string
  readonly subtotalMinor: bigint
  /** All tax, what prices hold included. */
  readonly taxMinor: bigint
  readonly totalMinor: bigint
  readonly amountPaidMinor: bigint
  readonly amountRemainingMinor: bigint
  readonly amountOverpaidMinor: bigint
  /** A balance that the Stripe customer already had and that paid a part (billing rule 21). */
  readonly balanceAppliedMinor: bigint
  /** By the id that we gave the line at Stripe. */
  readonly lineTax: Readonly<Record<string, LineTax>>
  /** Stripe computed parts of a minor unit (ISK, UGX): its amounts are rounded here. */
  readonly isRounded: boolean
  /** Stripe Tax computed it. */
  readonly isTaxed: boolean
  readonly hostedUrl: string | null
  readonly pdfUrl: string | null
  readonly dueMs: number | null
  readonly finalizedMs: number | null
  readonly paidMs: number | null
  readonly payment: PaymentOutcome
}

export interface TestClockView {
  readonly id: string
  readonly status: 'ready' | 'advancing' | 'internal_failure'
  readonly frozenTimeMs: number
}
export interface TestClockTarget {
  readonly testClockId: string
  readonly toMs: number
}

export interface EventsQuery {
  /** The last event seen; null, or one that Stripe has forgotten, reads everything that it still has (30 days). */
  readonly afterEventId: string | null
  /** Default: `webhookEvents`. */
  readonly types?: readonly string[]
}
export interface EventsPage {
  /** Oldest first. */
  readonly events: readonly VerifiedEvent[]
  /** Pass as the next `afterEventId`. */
  readonly cursor: string | null
}

/**
 * What to do about a failed call: try again later, give up and say why, take it as the payment's outcome, ask the
 * operator for a working key, or (`pinned`) reconcile by metadata and go on under the next generation.
 */
type StripeFailureKind = 'retryable' | 'final' | 'outcome' | 'auth' | 'pinned'
export interface ClassifiedFailure {
  readonly kind: StripeFailureKind
  /** Stripe's own code where there is one, else ours. */
  readonly code: string
  readonly declineCode?: string
  /** The parameter that Stripe complains about. */
  readonly param?: string
  readonly message: string
  readonly retryAfterMs?: number
  /** The request may have taken effect: reconcile before writing again (billing rule 31). */
  readonly afterSend: boolean
  readonly requestId?: string
}

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

export interface InvoiceQuery {
  readonly invoiceId: string
  readonly stripeCustomerId: string
  readonly createdMs: number | null
  /** Passes over invoices that are void. */
  readonly isGrowing?: boolean
}
