/** What the API tells of itself; metrics are made of it. */
export interface ApiObserver {
  readonly requestBegan: () => void
  /** Once for each request that began: answered, or left by its client. */
  readonly requestEnded: (request: EndedRequest) => void
  /** Refused with 429 before work was begun. */
  readonly refused: (reason: RefusalReason) => void
  readonly eventsTaken: (counts: {
    readonly stored: number
    readonly duplicate: number
    readonly invalid: number
  }) => void
  readonly webhookTaken: (result: WebhookResult) => void
}

export interface EndedRequest {
  /** The route's template, never the address that was called: ids are endless. */
  readonly route: string
  readonly method: string
  /** 2xx, 4xx, …; `501` for what is not offered, which is no failure; `aborted` where the client went away first. */
  readonly status: string
  readonly seconds: number
}

/**
 * `requests`: too many at once; `commands`: too many wait for a worker; `bodies`: too large together; `database`: too many wait
 * for it; `key_rate`: this key's rate.
 */
export type RefusalReason = 'requests' | 'commands' | 'bodies' | 'database' | 'key_rate'

export type WebhookResult = 'received' | 'repeated' | 'refused' | 'other_mode' | 'unheeded'

/** Nobody listens. */
export const unobserved: ApiObserver = {
  requestBegan: () => {},
  requestEnded: () => {},
  refused: () => {},
  eventsTaken: () => {},
  webhookTaken: () => {},
}
