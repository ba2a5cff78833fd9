import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { StripeApp } from './apps.ts'
import { CurrencyCode, Instant, Metadata, Order, PageQuery, pageOf, Stamps } from './common.ts'
import {
  DiscountsDocument,
  FlatPriceDocument,
  PriceDocument,
  TaxConfigDocument,
  WorkflowDocument,
} from './documents.ts'
import { InvoiceParty, InvoiceCustomer } from './invoice-parties.ts'
import { ref } from './reference.ts'

const Amount = Type.String({ description: 'A decimal amount in the currency, as text.', examples: ['12.34'] })
const Quantity = Type.String({ description: 'A decimal quantity, as text.' })
const Period = Type.Object({ from: Instant, to: Instant })

export const InvoiceTotals = Type.Object(
  {
    amount: Amount,
    chargesTotal: Amount,
    discountsTotal: Amount,
    creditsTotal: Amount,
    taxesInclusiveTotal: Amount,
    taxesExclusiveTotal: Amount,
    taxesTotal: Amount,
    total: Amount,
  },
  {
    $id: 'InvoiceTotals',
    description: 'total = amount + chargesTotal - discountsTotal - creditsTotal + taxesExclusiveTotal.',
  },
)
export type InvoiceTotals = Static<typeof InvoiceTotals>

const DiscountReason = Type.Union([
  Type.Object({ type: Type.Literal('maximum_spend') }),
  Type.Object({ type: Type.Literal('ratecard_percentage'), percentage: Type.Number() }),
  Type.Object({ type: Type.Literal('ratecard_usage'), quantity: Quantity }),
])
const discountFields = {
  id: Type.String(),
  ...Stamps,
  reason: DiscountReason,
  description: Type.Optional(Type.String()),
}
const LineDiscounts = Type.Object({
  amount: Type.Optional(Type.Array(Type.Object({ ...discountFields, amount: Amount }))),
  usage: Type.Optional(Type.Array(Type.Object({ ...discountFields, quantity: Quantity }))),
})
export type LineDiscounts = Static<typeof LineDiscounts>

const ExternalIds = Type.Object({ invoicing: Type.Optional(Type.String()) })
const IdResource = Type.Object({ id: Type.String() })
const ManagedBy = Type.Union([Type.Literal('subscription'), Type.Literal('system'), Type.Literal('manual')])
const PaymentTerm = Type.Union([Type.Literal('in_advance'), Type.Literal('in_arrears')])
const TaxItem = Type.Object({
  config: Type.Optional(TaxConfigDocument),
  behavior: Type.Optional(Type.Union([Type.Literal('inclusive'), Type.Literal('exclusive')])),
})

const lineFields = {
  id: Type.String(),
  name: Type.String(),
  description: Type.Optional(Type.String()),
  metadata: Type.Optional(ref(Metadata)),
  ...Stamps,
  managedBy: ManagedBy,
  status: Type.Union([Type.Literal('valid'), Type.Literal('detailed'), Type.Literal('split')]),
  discounts: Type.Optional(LineDiscounts),
  invoice: Type.Optional(Type.Object({ id: Type.String(), number: Type.Optional(Type.String()) })),
  currency: CurrencyCode,
  taxes: Type.Optional(Type.Array(TaxItem)),
  taxConfig: Type.Optional(TaxConfigDocument),
  totals: ref(InvoiceTotals),
  period: Period,
  invoiceAt: Instant,
  externalIds: Type.Optional(ExternalIds),
}

export const InvoiceDetailedLine = Type.Object(
  {
    ...lineFields,
    type: Type.Literal('flat_fee'),
    perUnitAmount: Amount,
    paymentTerm: PaymentTerm,
    quantity: Quantity,
    rateCard: Type.Object({
      price: FlatPriceDocument,
      quantity: Quantity,
      taxConfig: Type.Optional(TaxConfigDocument),
    }),
    category: Type.Union([Type.Literal('regular'), Type.Literal('commitment')]),
  },
  { $id: 'InvoiceDetailedLine' },
)
export type InvoiceDetailedLine = Static<typeof InvoiceDetailedLine>

export const InvoiceLine = Type.Object(
  {
    ...lineFields,
    type: Type.Literal('usage_based'),
    price: Type.Optional(PriceDocument),
    featureKey: Type.Optional(Type.String()),
    children: Type.Array(ref(InvoiceDetailedLine)),
    rateCard: Type.Optional(
      Type.Object({
        featureKey: Type.Optional(Type.String()),
        taxConfig: Type.Optional(TaxConfigDocument),
        price: Type.Union([PriceDocument, Type.Null()]),
        discounts: Type.Optional(DiscountsDocument),
      }),
    ),
    quantity: Type.Optional(Quantity),
    meteredQuantity: Type.Optional(Quantity),
    preLinePeriodQuantity: Type.Optional(Quantity),
    meteredPreLinePeriodQuantity: Type.Optional(Quantity),
    subscription: Type.Optional(
      Type.Object({ subscription: IdResource, phase: IdResource, item: IdResource, billingPeriod: Period }),
    ),
    // Ours, beside the contract's.
    kind: Type.String({ description: 'flat, usage, late_usage, carried_balance or commitment.' }),
    lineKey: Type.String({ description: 'What is billed: phase/rate card/start of the service period.' }),
    fullServicePeriod: Type.Object(
      { from: Instant, to: Instant },
      { description: 'The untruncated service period that proration is relative to (billing rule 5).' },
    ),
    usageCutoff: Type.Optional(
      Type.String({ description: 'The database snapshot that usage was rated from (billing rule 8).' }),
    ),
  },
  { $id: 'InvoiceLine' },
)
export type InvoiceLine = Static<typeof InvoiceLine>

const statuses = [
  'gathering',
  'draft',
  'issuing',
  'issued',
  'payment_processing',
  'overdue',
  'paid',
  'uncollectible',
  'voided',
] as const
export const InvoiceStatus = Type.Union(statuses.map((status) => Type.Literal(status)))
export type InvoiceStatus = (typeof statuses)[number]

const Action = Type.Object({ resultingState: Type.String() })
const AvailableActions = Type.Object({
  advance: Type.Optional(Action),
  approve: Type.Optional(Action),
  delete: Type.Optional(Action),
  retry: Type.Optional(Action),
  snapshotQuantities: Type.Optional(Action),
  void: Type.Optional(Action),
  invoice: Type.Optional(Type.Unsafe<Record<string, never>>({ type: 'object' })),
})

const PaymentTerms = Type.Union([
  Type.Object({ type: Type.Literal('instant') }),
  Type.Object({
    type: Type.Literal('due_date'),
    dueAt: Type.Array(
      Type.Object({ dueAt: Instant, amount: Amount, percent: Type.Number(), currency: CurrencyCode }),
    ),
  }),
])

const AppReference = Type.Object({ id: Type.String() })
const Apps = Type.Union([
  Type.Object({ tax: ref(StripeApp), invoicing: ref(StripeApp), payment: ref(StripeApp) }),
  Type.Object({ tax: AppReference, invoicing: AppReference, payment: AppReference }),
])

const ValidationIssue = Type.Object({
  id: Type.String(),
  ...Stamps,
  severity: Type.Union([Type.Literal('critical'), Type.Literal('warning')]),
  code: Type.Optional(Type.String()),
  component: Type.String(),
  message: Type.String(),
})
export type ValidationIssue = Static<typeof ValidationIssue>

const InvoiceAdjustment = Type.Object({
  id: Type.String({ description: 'Stripe’s.' }),
  kind: Type.Union([Type.Literal('refund'), Type.Literal('dispute'), Type.Literal('credit_note')]),
  status: Type.String({
    description: 'In Stripe’s words: succeeded, needs_response, won, lost, issued, void …',
  }),
  amount: Amount,
  currency: CurrencyCode,
  reason: Type.Optional(Type.String()),
  at: Instant,
})
export type InvoiceAdjustment = Static<typeof InvoiceAdjustment>

export const Invoice = Type.Object(
  {
    id: Type.String(),
    description: Type.Optional(Type.String()),
    metadata: Type.Optional(ref(Metadata)),
    ...Stamps,
    type: Type.Union([Type.Literal('standard'), Type.Literal('credit_note')]),
    supplier: ref(InvoiceParty),
    customer: ref(InvoiceCustomer),
    number: Type.String({
      description:
        'A draft number until it is issued. Of what Stripe bills on invoices of its own: the number of the first of those, once it has one.',
    }),
    currency: CurrencyCode,
    totals: ref(InvoiceTotals),
    status: Type.Unsafe<InvoiceStatus>(InvoiceStatus),
    statusDetails: Type.Object({
      immutable: Type.Boolean(),
      failed: Type.Boolean(),
      extendedStatus: Type.String(),
      availableActions: AvailableActions,
    }),
    issuedAt: Type.Optional(Instant),
    draftUntil: Type.Optional(Instant),
    quantitySnapshotedAt: Type.Optional(Instant),
    collectionAt: Type.Optional(Instant),
    dueAt: Type.Optional(Instant),
    period: Type.Optional(Period),
    voidedAt: Type.Optional(Instant),
    sentToCustomerAt: Type.Optional(Instant),
    workflow: Type.Object({
      apps: Apps,
      sourceBillingProfileId: Type.String(),
      workflow: WorkflowDocument,
    }),
    lines: Type.Optional(Type.Array(ref(InvoiceLine))),
    payment: Type.Object({ terms: PaymentTerms }),
    validationIssues: Type.Optional(Type.Array(ValidationIssue)),
    externalIds: Type.Optional(ExternalIds),
    // Ours, beside the contract's.
    subscriptionId: Type.String(),
    amountPaid: Amount,
    amountRemaining: Type.String({ description: 'What is still to be paid, less credit notes.' }),
    adjustments: Type.Optional(
      Type.Array(InvoiceAdjustment, {
        description: 'Refunds, disputes and credit notes that were made at Stripe, the oldest first.',
      }),
    ),
    stripeInvoiceNumbers: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'What Stripe’s own invoices that bill it are called, where it has no number of ours (`subscription_items`).',
      }),
    ),
    amountCarried: Type.String({
      description: 'Carried to the next invoice instead of being sent (billing rule 21).',
    }),
    paidAt: Type.Optional(Instant),
    uncollectibleAt: Type.Optional(Instant),
    paymentAttempts: Type.Integer({ description: 'Payments that failed (billing rule 32).' }),
    taxOutcome: Type.Optional(
      Type.Union([Type.Literal('computed'), Type.Literal('skipped'), Type.Literal('failed')], {
        description:
          'Where tax is enabled: computed by Stripe; skipped, since it could not be computed and is not enforced; or failed.',
      }),
    ),
    needsNewPaymentMethod: Type.Boolean(),
    nextActionAt: Type.Optional(Instant),
    approvedAt: Type.Optional(Instant),
    runs: Type.Optional(
      Type.Integer({
        description: 'How often it was rated while its period was open, the closing included.',
      }),
    ),
    ratedAt: Type.Optional(Instant),
    sentToStripeAt: Type.Optional(Instant),
    hostedInvoiceUrl: Type.Optional(Type.String()),
    paymentUrl: Type.Optional(
      Type.String({
        description: 'Where its customer pays it, while it is to be paid: Stripe’s page of it.',
      }),
    ),
    invoicePdfUrl: Type.Optional(Type.String()),
    temporalWorkflowId: Type.Optional(
      Type.String({ description: 'The workflow that works on it, in the Temporal UI.' }),
    ),
  },
  { $id: 'Invoice' },
)
export type Invoice = Static<typeof Invoice>

export const InvoicePage = pageOf(ref(Invoice), 'InvoicePaginatedResponse')

const orders = ['customer.name', 'issuedAt', 'status', 'createdAt', 'updatedAt', 'periodStart'] as const
const expansions = ['lines', 'preceding', 'workflow.apps'] as const
export type InvoiceExpansion = (typeof expansions)[number]

export const InvoiceListQuery = Type.Object({
  ...PageQuery,
  statuses: Type.Optional(Type.Array(Type.Unsafe<InvoiceStatus>(InvoiceStatus))),
  extendedStatuses: Type.Optional(Type.Array(Type.String())),
  customers: Type.Optional(Type.Array(Type.String())),
  /** Ours: the contract has no way from a number to its invoice. */
  numbers: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Numbers that invoices were issued under, such as INV-000123.',
    }),
  ),
  issuedAfter: Type.Optional(Instant),
  issuedBefore: Type.Optional(Instant),
  createdAfter: Type.Optional(Instant),
  createdBefore: Type.Optional(Instant),
  periodStartAfter: Type.Optional(Instant),
  periodStartBefore: Type.Optional(Instant),
  includeDeleted: Type.Optional(Type.Boolean()),
  expand: Type.Optional(Type.Array(Type.Enum(expansions))),
  order: Type.Optional(Order),
  orderBy: Type.Optional(Type.Enum([...orders])),
})
export type InvoiceListQuery = Static<typeof InvoiceListQuery>

/** Lines are shown unless `expand` names other parts only. */
export const InvoiceGetQuery = Type.Object({
  expand: Type.Optional(Type.Array(Type.Enum(expansions))),
  includeDeletedLines: Type.Optional(Type.Boolean()),
})

export const InvoiceParams = Type.Object({ invoiceId: Type.String({ minLength: 1 }) })

export const InvoiceVoid = Type.Object(
  {
    action: Type.Object({
      percentage: Type.Number({ minimum: 0, maximum: 100 }),
      action: Type.Object({ type: Type.Union([Type.Literal('discard'), Type.Literal('pending')]) }),
    }),
    reason: Type.String({ minLength: 1, maxLength: 1024 }),
    overrides: Type.Optional(Type.Union([Type.Array(Type.Unknown()), Type.Null()])),
  },
  { $id: 'VoidInvoiceActionInput' },
)

export const invoiceSchemas: readonly TSchema[] = [
  InvoiceParty,
  InvoiceCustomer,
  InvoiceTotals,
  InvoiceDetailedLine,
  InvoiceLine,
  Invoice,
  InvoicePage,
  InvoiceVoid,
]
