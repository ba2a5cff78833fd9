/** What the API answered with 2xx to commands: who asked may count on it. */
export interface Promises {
  /** Ids of invoices. */
  readonly voided: Set<string>
  /** Ids of subscriptions, whose cancelation nobody took back since. */
  readonly canceled: Set<string>
}

export const noPromises = (): Promises => ({ voided: new Set(), canceled: new Set() })
