import { sql } from 'kysely'
import type { Database } from '../../src/db/connection.ts'
import { noteAlive } from '../../src/db/stores/continuity.ts'
import { steerSandbox, stripeGet } from './stripe-client.ts'

interface Logged {
  readonly method: string
  readonly path: string
  readonly params: Readonly<Record<string, unknown>>
  /** Null: not sent by a client of Stripe's, but by the test. */
  readonly stripeVersion: string | null
}

interface StripeInvoice {
  readonly id: string
  readonly number: string | null
  readonly status: string
}

/** A new installation, as workers leave it that have noted every minute of a day that its database is there. */
export async function aliveForADay(db: Database): Promise<void> {
  await noteAlive(db, null)
  await sql`UPDATE continuity SET alive_since = now() - interval '1 day'`.execute(db)
}

/** All requests that the sandbox had, in their order. */
export async function journal(sandboxUrl: string): Promise<readonly Logged[]> {
  const asked = { method: 'GET', path: '/requests' }
  return (await steerSandbox<{ requests: readonly Logged[] }>(sandboxUrl, asked)).requests
}

/** The invoices that a customer has at Stripe. */
export async function invoicesAtStripe(
  sandboxUrl: string,
  stripeCustomerId: string,
): Promise<readonly StripeInvoice[]> {
  const path = `invoices?customer=${stripeCustomerId}&limit=100`
  return (await stripeGet<{ data: StripeInvoice[] }>(sandboxUrl, path)).data
}

interface About {
  readonly stripeCustomerId: string
  /** Left out are so many of the journal, of whatever kind. */
  readonly behind?: number
}

/** The product's requests about a customer's invoices. */
export async function askedAboutInvoices(
  sandboxUrl: string,
  { stripeCustomerId, behind = 0 }: About,
): Promise<readonly string[]> {
  const ids = (await invoicesAtStripe(sandboxUrl, stripeCustomerId)).map(({ id }) => id)
  const isAbout = ({ path, params }: Logged): boolean =>
    params['customer'] === stripeCustomerId || ids.some((id) => path.includes(id))
  return (await journal(sandboxUrl))
    .slice(behind)
    .filter((one) => one.stripeVersion !== null && one.path.startsWith('/v1/invoices') && isAbout(one))
    .map(({ method, path }) => `${method} ${path.replace(/in_\w+/, '{id}')}`)
}
