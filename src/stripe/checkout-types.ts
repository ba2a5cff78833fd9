import type { StoredApp } from './types.ts'

export type CheckoutUiMode = 'hosted_page' | 'embedded_page' | 'elements'

/** What the page shows and asks for; names and values are Stripe's where they are the same. */
export interface CheckoutOptions {
  readonly billingAddressCollection?: 'auto' | 'required'
  readonly cancelUrl?: string
  readonly clientReferenceId?: string
  readonly consentCollection?: {
    readonly paymentMethodReuseAgreement?: 'auto' | 'hidden'
    readonly promotions?: 'auto' | 'none'
    readonly termsOfService?: 'none' | 'required'
  }
  readonly customText?: {
    readonly afterSubmit?: string
    readonly shippingAddress?: string
    readonly submit?: string
    readonly termsOfServiceAcceptance?: string
  }
  /** What the page may write onto the Stripe customer. */
  readonly customerUpdate?: {
    readonly address?: 'auto' | 'never'
    readonly name?: 'auto' | 'never'
    readonly shipping?: 'auto' | 'never'
  }
  readonly expiresAtSeconds?: number
  readonly locale?: string
  readonly metadata?: Readonly<Record<string, string>>
  /** A filter on what the account offers; Stripe takes no fixed list any more. */
  readonly allowedPaymentMethodTypes?: readonly string[]
  readonly redirectOnCompletion?: 'always' | 'if_required' | 'never'
  readonly returnUrl?: string
  readonly successUrl?: string
  readonly taxIdCollection?: { readonly enabled: boolean; readonly required?: 'if_supported' | 'never' }
}

/** A page on which a customer saves a payment method: Checkout in setup mode. */
export interface CheckoutToCreate {
  readonly appId: string
  /** Ours, kept in the metadata of the session and of its setup intent. */
  readonly customerId: string
  readonly stripeCustomerId: string
  readonly uiMode: CheckoutUiMode
  /** ISO 4217, upper case; Stripe needs it where no payment method types are named. */
  readonly currency: string | null
  readonly options: CheckoutOptions
  /** The same request gives the same session. */
  readonly requestId: string
}

export interface CheckoutSessionView {
  readonly id: string
  readonly setupIntentId: string | null
  readonly stripeCustomerId: string | null
  /** Where it is hosted by Stripe, while it is open. */
  readonly url: string | null
  readonly clientSecret: string | null
  readonly clientReferenceId: string | null
  /** Upper case. */
  readonly currency: string | null
  readonly customerEmail: string | null
  readonly status: string | null
  readonly metadata: Readonly<Record<string, string>>
  readonly cancelUrl: string | null
  readonly successUrl: string | null
  readonly returnUrl: string | null
  readonly createdMs: number
  readonly expiresMs: number
}

/** What became of a page: the payment method that was saved, and for whom. */
export interface SetupIntentView {
  readonly id: string
  readonly status: string
  readonly stripeCustomerId: string | null
  readonly paymentMethodId: string | null
  /** Ours, from the metadata; null for a setup intent that we did not ask for. */
  readonly customerId: string | null
  readonly appId: string | null
}

export interface PortalToOpen {
  readonly stripeCustomerId: string
  /** null: the account's default configuration. */
  readonly configurationId: string | null
  readonly locale?: string
  readonly returnUrl?: string
}
export interface PortalSessionView {
  readonly id: string
  readonly stripeCustomerId: string
  readonly configurationId: string
  readonly livemode: boolean
  readonly createdMs: number
  readonly returnUrl: string | null
  readonly locale: string | null
  readonly url: string
}
export interface PortalConfigurationToCreate {
  readonly appId: string
  /** The one that it takes the place of: part of the idempotency key. */
  readonly replaces: string | null
}

/** The pages of Stripe on which customers look after themselves. */
export interface CheckoutGateway {
  readonly createCheckoutSession: (app: StoredApp, session: CheckoutToCreate) => Promise<CheckoutSessionView>
  readonly getCheckoutSession: (app: StoredApp, sessionId: string) => Promise<CheckoutSessionView>
  readonly getSetupIntent: (app: StoredApp, setupIntentId: string) => Promise<SetupIntentView>
  /** Payment methods, billing address, e-mail, tax ids and invoices; no subscriptions. Returns its id. */
  readonly createPortalConfiguration: (
    app: StoredApp,
    request: PortalConfigurationToCreate,
  ) => Promise<string>
  readonly createPortalSession: (app: StoredApp, request: PortalToOpen) => Promise<PortalSessionView>
  readonly setCustomerEmail: (
    app: StoredApp,
    request: { readonly stripeCustomerId: string; readonly email: string },
  ) => Promise<void>
}
