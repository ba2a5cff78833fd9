import type { BilledCustomer } from './billed.ts'
import type { Installation } from './installation.ts'
import { stripeGet } from './stripe-client.ts'

/** What a comparison found, in the words of the API. */
export interface Finding {
  readonly kind: string
  readonly subject: string
  readonly repaired: boolean
}

/** Compares everything, as the command line asks for it. */
export async function reconcile({ call }: Installation, dryRun = false): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  let after: string | undefined
  do {
    const answer: { readonly findings: readonly Finding[]; readonly next?: string } = await call(
      'POST',
      '/api/v1/reconciliation',
      { dryRun, ...(after !== undefined && { after }) },
    )
    findings.push(...answer.findings)
    after = answer.next
  } while (after !== undefined)
  return findings
}

/** Of the findings those about these, with what is told of them. */
export const about = (findings: readonly Finding[], subjects: readonly string[]) =>
  findings
    .filter(({ subject }) => subjects.includes(subject))
    .map(({ kind, subject, repaired }) => ({ kind, subject, repaired }))

export async function subscriptionOf({ database }: Installation, { customerId }: BilledCustomer) {
  return await database.db
    .selectFrom('subscriptions')
    .selectAll()
    .where('customerId', '=', customerId)
    .executeTakeFirstOrThrow()
}

/** The days that the customer's periods were closed at. */
export async function closingsOf(
  { database }: Installation,
  { customerId }: BilledCustomer,
): Promise<readonly string[]> {
  const rows = await database.db
    .selectFrom('invoices')
    .select('closingAt')
    .where('customerId', '=', customerId)
    .orderBy('closingAt')
    .execute()
  return rows.map(({ closingAt }) => closingAt.toISOString().slice(0, 10))
}

interface StripeInvoice {
  readonly id: string
  readonly number: string | null
  readonly status: string
  readonly amount_paid: number
}

/** What Stripe has of the customer: the other book of what was billed. */
export async function atStripe(
  { sandboxUrl }: Installation,
  { stripeCustomerId }: BilledCustomer,
): Promise<readonly StripeInvoice[]> {
  const path = `invoices?customer=${stripeCustomerId}&limit=100`
  const { data } = await stripeGet<{ data: StripeInvoice[] }>(sandboxUrl, path)
  return data.toReversed()
}
