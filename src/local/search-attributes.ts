/** The search attributes the workflows set; they are registered with every Temporal we start. */
export const searchAttributes = {
  CustomerKey: 'Keyword',
  PlanKey: 'Keyword',
  BillingStatus: 'Keyword',
  InvoiceStatus: 'Keyword',
  NextBillingTime: 'Datetime',
} as const
