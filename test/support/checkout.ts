import { heardOf } from './heard.ts'
import type { Installation } from './installation.ts'
import { waitFor } from './scenario.ts'

export interface Session {
  readonly customerId: string
  readonly stripeCustomerId: string
  readonly sessionId: string
  readonly setupIntentId: string
  readonly url?: string
  readonly clientSecret?: string
  readonly currency?: string
}

interface Link {
  readonly stripeCustomerId: string
  readonly stripeDefaultPaymentMethodId?: string
}

/** What a checkout needs at least. */
export const options = { successURL: 'https://example.com/success', currency: 'USD' }

/** Calls on an installation that tests of checkouts and of what they save share. */
export function checkouts(installation: Installation) {
  const { call, sandboxUrl, database } = installation
  const open = async (body: object): Promise<Session> =>
    await call<Session>('POST', '/api/v1/stripe/checkout/sessions', body)

  const linkOf = async (customerId: string): Promise<Link> =>
    await call<Link>('GET', `/api/v1/customers/${customerId}/stripe`)

  /** Fills in the sandbox's page. */
  const complete = async (sessionId: string, card = '4242424242424242'): Promise<void> => {
    const page = await fetch(`${sandboxUrl}/c/${sessionId}`, {
      method: 'POST',
      body: new URLSearchParams({ card }),
      redirect: 'manual',
    })
    if (page.status >= 400) throw new Error(`the page answered ${page.status}`)
  }

  /**
   * Waits until both events that Stripe tells of a checkout by, which come as they like, have been acted on, and the one
   * that tells of the default that was made of it.
   */
  const heard = async ({
    sessionId,
    setupIntentId,
    stripeCustomerId,
  }: Pick<Session, 'sessionId' | 'setupIntentId' | 'stripeCustomerId'>): Promise<void> => {
    await waitFor(
      async () =>
        await database.db
          .selectFrom('stripeEvents')
          .select('processedAt')
          .where('sourceId', 'in', [sessionId, setupIntentId])
          .where('type', 'in', ['checkout.session.completed', 'setup_intent.succeeded'])
          .execute(),
      (told) => told.length === 2 && told.every(({ processedAt }) => processedAt !== null),
    )
    await heardOf(installation, stripeCustomerId)
  }

  /** Fills in the page and waits until nothing of it is still to come; the payment method that the link names then. */
  const save = async (session: Session): Promise<string> => {
    await complete(session.sessionId)
    await heard(session)
    return (await linkOf(session.customerId)).stripeDefaultPaymentMethodId ?? ''
  }

  return { open, linkOf, complete, heard, save }
}
