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
export function checkouts({ call, sandboxUrl }: Installation) {
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

  /** The link, once it names a payment method that satisfies. */
  const linkedMethod = async (
    customerId: string,
    wanted: (id: string) => boolean = () => true,
  ): Promise<string> => {
    const link = await waitFor(
      async () => await linkOf(customerId),
      ({ stripeDefaultPaymentMethodId: id }) => id !== undefined && wanted(id),
    )
    return link.stripeDefaultPaymentMethodId ?? ''
  }

  return { open, linkOf, complete, linkedMethod }
}
