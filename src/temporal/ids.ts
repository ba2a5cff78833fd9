/** The one place that makes workflow ids: one workflow a subscription, an invoice, a test clock. */
export const workflowIds = {
  subscription: (id: string) => `subscription/${id}`,
  invoice: (id: string) => `invoice/${id}`,
  testClock: (id: string) => `test-clock/${id}`,
} as const
