import type { Insertable } from 'kysely'
import { ulid } from 'ulid'
import type { Database, Db } from '../../src/db/connection.ts'
import type { InvoiceLines, Invoices } from '../../src/db/types.gen.ts'
import type { RateCard } from '../../src/domain/rate-card.ts'
import { basePhase, insertCustomer, insertProfile } from './billing-fixtures.ts'

/** Where the invoices of a test belong. */
export interface Owner {
  readonly customerId: string
  readonly subscriptionId: string
  readonly appId: string
  readonly profileId: string
}

/** A customer with a subscription, on an installed app and its profile. */
export async function insertOwner(db: Database): Promise<Owner> {
  const profile = await insertProfile(db)
  const customerId = await insertCustomer(db, { key: 'acme', appId: profile.appId })
  const subscriptionId = await insertSubscriptionRow(db, customerId, [basePhase])
  return { ...profile, customerId, subscriptionId }
}

export async function insertSubscriptionRow(
  db: Db,
  customerId: string,
  phases: readonly object[],
): Promise<string> {
  const id = ulid()
  const start = new Date('2025-01-01T00:00:00Z')
  await db
    .insertInto('subscriptions')
    .values({
      id,
      customerId,
      name: 'Pro',
      planKey: 'pro',
      planVersion: 1,
      currency: 'USD',
      timezone: 'UTC',
      billingCadence: 'P1M',
      billingAnchor: start,
      proRatingEnabled: true,
      phases: JSON.stringify(phases),
      activeFrom: start,
      lifecycle: 'active',
      closedThrough: start,
    })
    .execute()
  return id
}

const workflow = {
  collection: { alignment: { type: 'subscription' }, interval: 'P0D' },
  invoicing: { autoAdvance: true, draftPeriod: 'P0D', dueAfter: 'P30D', progressiveBilling: false },
  payment: { collectionMethod: 'charge_automatically' },
  tax: { enabled: true, enforced: false },
}
export const sentWorkflow = { ...workflow, payment: { collectionMethod: 'send_invoice' } }

/** An invoice of February 2025, of 20.00 in advance unless the test says otherwise. */
export async function insertInvoiceRow(
  db: Database,
  owner: Owner,
  row: Partial<Insertable<Invoices>> = {},
): Promise<string> {
  const id = ulid()
  const customer = {
    id: owner.customerId,
    key: 'acme',
    name: 'Acme',
    billingAddress: { country: 'US', city: null },
    usageAttribution: { subjectKeys: ['acme-1', 'acme-2'] },
  }
  await db
    .insertInto('invoices')
    .values({
      id,
      customerId: owner.customerId,
      subscriptionId: owner.subscriptionId,
      appId: owner.appId,
      billingProfileId: owner.profileId,
      currency: 'USD',
      draftNumber: `DRAFT-${id.slice(-6)}`,
      status: 'draft',
      periodFrom: new Date('2025-02-01T00:00:00Z'),
      periodTo: new Date('2025-03-01T00:00:00Z'),
      closingAt: new Date('2025-03-01T00:00:00Z'),
      subtotalMinor: '2000',
      totalMinor: '2000',
      customerSnapshot: JSON.stringify(customer),
      supplierSnapshot: JSON.stringify({
        id: 'SUP',
        name: 'Perennial Inc',
        taxId: { code: 'US-1' },
        addresses: [{ country: 'US' }],
      }),
      workflowSnapshot: JSON.stringify(workflow),
      dunningSnapshot: JSON.stringify({ retries: [], end: 'leave_overdue', grace: 'P0D' }),
      createdAt: new Date('2025-03-01T00:00:00Z'),
      ...row,
    })
    .execute()
  return id
}

interface LineOptions extends Partial<Insertable<InvoiceLines>> {
  readonly rateCardDocument?: RateCard
  readonly detailDocuments?: readonly object[]
}

export async function insertLineRow(db: Database, invoiceId: string, options: LineOptions): Promise<string> {
  const id = ulid()
  const { rateCardDocument, detailDocuments, ...row } = options
  const [from, to] = [new Date('2025-02-01T00:00:00Z'), new Date('2025-03-01T00:00:00Z')]
  await db
    .insertInto('invoiceLines')
    .values({
      id,
      invoiceId,
      position: 0,
      lineKey: 'main/base/2025-02-01T00:00:00.000Z',
      kind: 'flat',
      name: 'Base fee',
      description: '$20.00',
      phaseKey: 'main',
      rateCardKey: rateCardDocument?.key ?? 'base',
      rateCard: rateCardDocument === undefined ? null : JSON.stringify(rateCardDocument),
      serviceFrom: from,
      serviceTo: to,
      fullServiceFrom: from,
      fullServiceTo: to,
      billingFrom: from,
      billingTo: to,
      invoiceAt: to,
      amountMinor: '2000',
      totalMinor: '2000',
      details: JSON.stringify(detailDocuments ?? []),
      ...row,
    })
    .execute()
  return id
}

/** A detailed line as the closing stores it: minor units are text. */
export const detail = (
  amountMinor: number,
  options: { discount?: number; category?: 'regular' | 'commitment' } = {},
) => ({
  name: 'part',
  description: `$${(amountMinor / 100).toFixed(2)}`,
  quantity: '1',
  perUnitAmount: (amountMinor / 100).toFixed(2),
  amountMinor: String(amountMinor),
  discountMinor: String(options.discount ?? 0),
  totalMinor: String(amountMinor - (options.discount ?? 0)),
  category: options.category ?? 'regular',
})
