/** How Stripe's objects are found again when our note of them is lost. */
export const metadataKeys = {
  invoice: 'perennial_invoice_id',
  line: 'perennial_line_id',
  /** Of a line: how it is taxed, which Stripe does not tell of one. */
  tax: 'perennial_tax',
  item: 'perennial_item_id',
  subscription: 'perennial_subscription_id',
  customer: 'perennial_customer_id',
  app: 'perennial_app_id',
  request: 'perennial_request',
  /** On a customer or a subscription that is made at Stripe: what it is to be called here. */
  customerKey: 'perennial_customer_key',
  subjectKeys: 'perennial_subject_keys',
} as const
