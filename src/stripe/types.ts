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
  /** False where it could not be kept: the next call tells it again. */
  readonly accepted: (app: StoredApp) => Promise<boolean>
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

export interface TestClockView {
  readonly id: string
  readonly status: 'ready' | 'advancing' | 'internal_failure'
  readonly frozenTimeMs: number
}
export interface TestClockTarget {
  readonly testClockId: string
  readonly toMs: number
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
