import type { Stripe } from 'stripe'

/** Ids instead of expandable objects, decimals as texts: what is kept and what goes over the wire. */
type Plain<V> = V extends Stripe.Decimal ? string : V
type Unexpanded<V> = Extract<V, string> extends never ? V : Exclude<V, { id: string }>
type Wire<T> = { readonly [K in keyof T]: Unexpanded<Plain<T[K]>> }

/** A record is the object as it goes over the wire, less what is computed; names with `_` never leave the sandbox. */
type Record_<T, Dropped extends string = never, Hidden = object> = Omit<Wire<T>, Dropped | 'deleted'> &
  Readonly<Hidden>

export type Metadata = Readonly<Record<string, string>>
export type CustomerRecord = Record_<
  Stripe.Customer,
  'sources' | 'subscriptions' | 'tax_ids',
  { _deleted: boolean }
>
export type PaymentMethodRecord = Record_<
  Stripe.PaymentMethod,
  'metadata',
  { metadata: Metadata; _behaviour: CardBehaviour; _number: string }
>
export type InvoiceRecord = Record_<
  Stripe.Invoice,
  'lines' | 'payments' | 'default_tax_rates' | 'account_tax_ids' | 'metadata' | 'discounts',
  {
    metadata: Metadata
    default_tax_rates: readonly string[]
    status: 'draft' | 'open' | 'paid' | 'void' | 'uncollectible'
    customer: string
    _daysUntilDue: number | null
    /** Instants at which time itself changes the invoice, in seconds; null when nothing waits. */
    _dueAt: number | null
    _overdueSent: boolean
    /** When the bank answers a debit that is on its way. */
    _settlesAt?: number | null
    _retries: number
    /** The part of the hosted page's address that nobody can guess. */
    _secret: string | null
  }
>
export interface LineTax {
  readonly amount: number
  readonly inclusive: boolean
  readonly taxableAmount: number
  readonly rate: string | null
  readonly reason: string
}
export type InvoiceItemRecord = Record_<
  Stripe.InvoiceItem,
  'quantity_decimal' | 'tax_rates' | 'pricing' | 'metadata' | 'discounts',
  {
    metadata: Metadata
    discounts: readonly string[]
    tax_rates: readonly string[]
    pricing: LinePricing | null
    _position: number
    /** The id of its line on the invoice. */
    _line: string
    _taxBehavior: string | null
    /** Its own tax code; absent or null: the product's, or the account's. */
    _taxCode?: string | null
    _taxAmounts: readonly ManualTax[] | null
    /** The subscription item that a line bills for; absent: an invoice item. Lines of this kind are no invoice items. */
    _subscriptionItem?: string
  }
>
export interface LinePricing {
  readonly price_details: { readonly price: string; readonly product: string | null } | null
  readonly type: 'price_details'
  readonly unit_amount_decimal: string
}
export interface ManualTax {
  readonly amount: number
  readonly taxable_amount: number
  readonly rate: string
  readonly inclusive: boolean
}
export type InvoicePaymentRecord = Record_<
  Stripe.InvoicePayment,
  'payment',
  {
    payment: {
      readonly type: 'payment_intent' | 'charge'
      readonly payment_intent?: string
      readonly charge?: string
    }
  }
>
export type PaymentIntentRecord = Record_<Stripe.PaymentIntent, never, { _invoice: string | null }>
export type ChargeRecord = Record_<Stripe.Charge, 'refunds', { _invoice: string | null }>
export type EventRecord = Omit<Stripe.EventBase, 'pending_webhooks' | 'type' | 'data'> & {
  readonly type: string
  readonly data: { readonly object: object; readonly previous_attributes?: object }
  readonly _clock: string | null
}
export type EndpointRecord = Record_<
  Stripe.WebhookEndpoint,
  'secret',
  { _secret: string; _previousSecret: string | null }
>
export type ClockRecord = Record_<
  Stripe.TestHelpers.TestClock,
  'status' | 'status_details',
  {
    status: 'ready' | 'advancing'
    status_details: object
    _target: number | null
  }
>
export type TaxIdRecord = Record_<Stripe.TaxId, 'customer', { customer: string }>
export type TaxRateRecord = Record_<Stripe.TaxRate, 'metadata', { metadata: Metadata }>
export type ProductRecord = Record_<Stripe.Product, 'metadata', { metadata: Metadata }>
export interface Recurring {
  readonly interval: 'day' | 'week' | 'month' | 'year'
  readonly interval_count: number
  readonly meter: null
  readonly trial_period_days: number | null
  readonly usage_type: 'licensed'
}
export interface PriceRecord {
  readonly id: string
  readonly object: 'price'
  readonly active: boolean
  readonly created: number
  readonly currency: string
  readonly lookup_key: string | null
  readonly metadata: Metadata
  readonly nickname: string | null
  readonly product: string
  readonly recurring: Recurring | null
  readonly tax_behavior: string
  readonly type: 'one_time' | 'recurring'
  readonly unit_amount: number | null
  readonly unit_amount_decimal: string | null
  readonly [field: string]: unknown
}
/** One price of a subscription; the price itself is looked up when shown. */
export interface SubscriptionItemRecord {
  readonly id: string
  readonly created: number
  readonly current_period_start: number
  readonly current_period_end: number
  readonly metadata: Metadata
  readonly quantity: number
  readonly _price: string
}
export type SubscriptionStatus =
  | 'incomplete'
  | 'incomplete_expired'
  | 'trialing'
  | 'active'
  | 'past_due'
  | 'canceled'
export type SubscriptionRecord = Record_<
  Stripe.Subscription,
  'items' | 'metadata' | 'default_tax_rates' | 'status',
  {
    metadata: Metadata
    default_tax_rates: readonly string[]
    status: SubscriptionStatus
    customer: string
    _items: readonly SubscriptionItemRecord[]
    /** When time itself next changes it, in seconds; null when it has ended. */
    _dueAt: number | null
    /** Still being made: its changes are no events of their own. */
    _isNew: boolean
  }
>
export type SetupIntentRecord = Record_<Stripe.SetupIntent, never, { _session: string | null }>
export type SessionRecord = Record_<
  Stripe.Checkout.Session,
  'line_items',
  {
    _dueAt: number | null
    _subscription?: SessionSubscription
    /** The card that waits for its bank, in subscription mode. */
    _waiting?: string
    _customerUpdate?: { readonly address?: string; readonly name?: string; readonly shipping?: string } | null
    _typed?: CheckoutDetails
  }
>
/** What the customer typed on a Checkout page beside the card. */
export interface CheckoutDetails {
  readonly email: string | null
  readonly name: string | null
  readonly businessName: string | null
  readonly address: (CustomerRecord['address'] & object) | null
  readonly taxId: { readonly type: string; readonly value: string } | null
}
/** What a Checkout session in subscription mode will subscribe to. */
export interface SessionSubscription {
  readonly items: readonly { readonly id: string; readonly price: string; readonly quantity: number }[]
  readonly metadata: Metadata
  readonly description: string | null
  readonly trialPeriodDays: number | null
}
export type PortalConfigurationRecord = Record_<Stripe.BillingPortal.Configuration>
export type PortalSessionRecord = Record_<
  Stripe.BillingPortal.Session,
  never,
  {
    /** The setup intent of a card that waits for the bank. */
    _setup?: string | null
  }
>
export type CreditNoteRecord = Record_<
  Stripe.CreditNote,
  'lines' | 'metadata',
  { metadata: Metadata; _lines: readonly { readonly id: string }[] }
>
export type DisputeRecord = Record_<Stripe.Dispute, 'metadata', { metadata: Metadata }>
export type RefundRecord = Record_<Stripe.Refund>
export type BalanceTransactionRecord = Record_<Stripe.CustomerBalanceTransaction>

/** How a card behaves, from the table of test cards [stripe docs: testing]. */
export interface CardBehaviour {
  readonly attach: 'accept' | Decline
  readonly charge: 'accept' | Decline
  /** When 3-D Secure is asked for: never, once at setup, or at every payment; and what follows it. */
  readonly authentication: 'none' | 'setup' | 'always'
  /** A debit, which its bank answers after days, or never; absent: a card, which answers at once. */
  readonly debit?: 'settles' | 'never'
  /** Each charge is disputed as soon as it succeeded. */
  readonly disputed?: boolean
}
export interface Decline {
  readonly code: string
  readonly declineCode: string
  readonly message: string
}

/** A delivery of one event to one endpoint, kept until done so that a restart goes on with it. */
export interface DeliveryRecord {
  readonly id: string
  readonly event: string
  readonly endpoint: string
  /** `<object id>|<event type>`, to find the delivery of one change. */
  readonly subject: string
  readonly attempts: number
  readonly nextAtMs: number
  readonly state: 'pending' | 'delivered' | 'failed' | 'dropped'
  readonly held: boolean
  readonly tamper: 'none' | 'wrong_signature' | 'old_timestamp'
  readonly lastStatus: number | null
}

/** The saved first reply of an idempotency key. */
export interface IdempotencyRecord {
  readonly id: string
  readonly fingerprint: string
  readonly status: number
  readonly body: string
  readonly requestId: string
  readonly savedMs: number
}

/** What an account has set up of Stripe Tax; there is one record at most. */
export interface TaxSettingsRecord {
  readonly id: string
  readonly status: 'active' | 'pending'
  readonly taxCode: string | null
  readonly taxBehavior: string
  readonly headOffice: object
  /** The calculation itself fails. */
  readonly isFailing: boolean
}

/** What is known of an API key; a key without a record may do everything. */
export interface KeyRecord {
  readonly id: string
  /** Of a restricted key: `rak_customer_write`, …; null is all. */
  readonly permissions: readonly string[] | null
  readonly revoked: 'expired' | 'deleted' | null
  readonly account: string | null
}
