/** What is audited: a fleet that has come to rest, its logs, and what its producers were told. */
export interface AuditTarget {
  readonly databaseUrl: string
  readonly sandboxUrl: string
  readonly temporalAddress: string
  readonly namespace: string
  /** Where other installations share the namespace: only workflows of this queue are looked at. */
  readonly taskQueue?: string
  /** Every file in it and below it is searched. */
  readonly logFolder: string
  /** NDJSON: each event that was answered with 2xx, as it was sent, with its time and when it was answered; once for each. */
  readonly acceptedEventsFile: string
  readonly promised: Promised
  /** Texts that may appear nowhere: the master key, API keys, keys of Stripe. */
  readonly secrets: readonly string[]
  readonly announced?: Announced
}

/** What was answered with 2xx, and has to hold in the end. */
export interface Promised {
  /** Keys of customers, each subscribed once. */
  readonly subscribers: readonly string[]
  /** Ids of invoices. */
  readonly voided: readonly string[]
  /** Ids of subscriptions whose cancelation nobody took back since. */
  readonly canceled: readonly string[]
}

/** What the run did on purpose. */
export interface Announced {
  /** Stripe invoices that were paid outside of Stripe. */
  readonly outOfBand?: readonly string[]
  /** Codes or messages of log lines at level error or above that the faults explain. */
  readonly errors?: readonly string[]
}

export interface Check {
  readonly name: string
  /** How many things were looked at: a check that examined nothing proved nothing. */
  readonly examined: number
  readonly violations: readonly string[]
}

export interface Audit {
  readonly checks: readonly Check[]
}

/** A check while it is made. */
export interface Findings {
  readonly examine: (count?: number) => void
  /** Reports the violation unless the claim holds. */
  readonly claim: (holds: boolean, violation: () => string) => void
  readonly check: () => Check
}

export function findings(name: string): Findings {
  let examined = 0
  const violations: string[] = []
  return {
    examine: (count = 1) => void (examined += count),
    claim: (holds, violation) => {
      if (!holds) violations.push(violation())
    },
    check: () => ({ name, examined, violations }),
  }
}
