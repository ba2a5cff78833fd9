import type {
  BalanceTransactionRecord,
  ChargeRecord,
  ClockRecord,
  CreditNoteRecord,
  CustomerRecord,
  DeliveryRecord,
  DisputeRecord,
  EndpointRecord,
  EventRecord,
  IdempotencyRecord,
  InvoiceItemRecord,
  InvoicePaymentRecord,
  InvoiceRecord,
  KeyRecord,
  PaymentIntentRecord,
  PaymentMethodRecord,
  PortalConfigurationRecord,
  PortalSessionRecord,
  PriceRecord,
  ProductRecord,
  RefundRecord,
  SessionRecord,
  SetupIntentRecord,
  SubscriptionRecord,
  TaxIdRecord,
  TaxRateRecord,
  TaxSettingsRecord,
} from './records.ts'

export interface Tables {
  readonly customers: CustomerRecord
  readonly paymentMethods: PaymentMethodRecord
  readonly invoices: InvoiceRecord
  readonly invoiceItems: InvoiceItemRecord
  readonly invoicePayments: InvoicePaymentRecord
  readonly paymentIntents: PaymentIntentRecord
  readonly charges: ChargeRecord
  readonly events: EventRecord
  readonly endpoints: EndpointRecord
  readonly clocks: ClockRecord
  readonly taxRates: TaxRateRecord
  readonly taxIds: TaxIdRecord
  readonly products: ProductRecord
  readonly prices: PriceRecord
  readonly subscriptions: SubscriptionRecord
  readonly setupIntents: SetupIntentRecord
  readonly sessions: SessionRecord
  readonly portalConfigurations: PortalConfigurationRecord
  readonly portalSessions: PortalSessionRecord
  readonly creditNotes: CreditNoteRecord
  readonly refunds: RefundRecord
  readonly disputes: DisputeRecord
  readonly balanceTransactions: BalanceTransactionRecord
  readonly deliveries: DeliveryRecord
  readonly idempotency: IdempotencyRecord
  readonly keys: KeyRecord
  readonly taxSettings: TaxSettingsRecord
}
export type Table = keyof Tables

type Indexes = { readonly [T in Table]?: Readonly<Record<string, (record: Tables[T]) => string | null>> }
const typedIndexes: Indexes = {
  customers: { clock: (c) => c.test_clock ?? null },
  paymentMethods: { customer: (p) => p.customer },
  taxIds: { customer: (t) => t.customer },
  // Items of nobody's invoice are indexed under the empty text.
  invoiceItems: { invoice: (i) => i.invoice ?? '', customer: (i) => i.customer },
  invoices: { customer: (i) => i.customer, due: (i) => (i._dueAt === null ? null : (i.test_clock ?? '')) },
  invoicePayments: { invoice: (p) => p.invoice, intent: (p) => p.payment.payment_intent ?? null },
  paymentIntents: { customer: (p) => p.customer },
  charges: { intent: (c) => c.payment_intent, customer: (c) => c.customer },
  sessions: { due: (s) => (s._dueAt === null ? null : ''), customer: (s) => s.customer },
  setupIntents: { customer: (s) => s.customer },
  subscriptions: {
    customer: (s) => s.customer,
    due: (s) => (s._dueAt === null ? null : (s.test_clock ?? '')),
  },
  creditNotes: { invoice: (n) => n.invoice },
  refunds: { charge: (r) => r.charge },
  disputes: { charge: (d) => d.charge },
  balanceTransactions: { customer: (b) => b.customer },
  deliveries: {
    pending: (d) => (d.state === 'pending' ? d.endpoint : null),
    pendingObject: (d) => (d.state === 'pending' ? d.subject : null),
    event: (d) => d.event,
  },
}

/** Erased for the store, which keeps every table alike. */
export const indexes = typedIndexes as Readonly<
  Record<Table, Readonly<Record<string, (record: object) => string | null>>>
>

const names: { readonly [T in Table]: true } = {
  customers: true,
  paymentMethods: true,
  invoices: true,
  invoiceItems: true,
  invoicePayments: true,
  paymentIntents: true,
  charges: true,
  events: true,
  endpoints: true,
  clocks: true,
  taxRates: true,
  taxIds: true,
  products: true,
  prices: true,
  subscriptions: true,
  setupIntents: true,
  sessions: true,
  portalConfigurations: true,
  portalSessions: true,
  creditNotes: true,
  refunds: true,
  disputes: true,
  balanceTransactions: true,
  deliveries: true,
  idempotency: true,
  keys: true,
  taxSettings: true,
}
export const tableNames = Object.keys(names) as Table[]
