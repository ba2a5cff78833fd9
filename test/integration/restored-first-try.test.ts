import { sql } from 'kysely'
import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stepInvoice } from '../../src/billing/invoice-step.ts'
import type { KnownInvoice } from '../../src/billing/invoice-step.ts'
import { stepSubscription } from '../../src/billing/subscription-step.ts'
import type { Database } from '../../src/db/connection.ts'
import { noteAlive } from '../../src/db/stores/continuity.ts'
import type { InvoiceRow } from '../../src/db/stores/invoices.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { aliveForADay, askedAboutInvoices, invoicesAtStripe, journal } from '../support/asked-of-stripe.ts'
import { copyDatabase } from '../support/database.ts'
import { MASTER_KEY, startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'

/** Without a worker: tests take the steps in its place, on the database that they say. */
let installation: Installation
let scenario: Scenario
beforeAll(async () => {
  installation = await startInstallation({ worker: null })
  scenario = await startScenario(installation)
  await addTokenPlan(installation)
  await aliveForADay(installation.database.db)
})
afterAll(async () => await installation.close())

interface Subscribed {
  readonly subscriptionId: string
  readonly stripeCustomerId: string
}

/** A customer in real time; their first invoice is of the start. */
async function subscribed(key: string): Promise<Subscribed> {
  const { id: customerId, stripeCustomerId } = await addCustomer(installation, scenario, { key })
  const body = { customerId, plan: { key: 'tokens_monthly' } }
  const { id: subscriptionId } = await installation.call<{ id: string }>(
    'POST',
    '/api/v1/subscriptions',
    body,
  )
  return { subscriptionId, stripeCustomerId }
}

/** A step closes, and holds what it made. */
async function closed(db: Database, { subscriptionId }: Subscribed): Promise<KnownInvoice> {
  const options = { subscriptionId, asOfMs: Date.now(), newId: ulid, jitterWindowMs: 0 }
  const [known] = (await stepSubscription(db, options)).toCollect ?? []
  if (known === undefined) throw new Error('nothing was billed')
  return known
}

/** Then it issues and collects; one that tries again knows nothing but the id. */
async function collected(db: Database, invoiceId: string, known?: KnownInvoice): Promise<InvoiceRow> {
  const { sandboxUrl } = installation
  const stripe = createStripeGateway({ masterKey: MASTER_KEY, baseUrl: sandboxUrl, limits: false })
  return await stepInvoice({ db, stripe }, { invoiceId, asOfMs: Date.now(), look: false, known })
}

async function billed(db: Database, customer: Subscribed): Promise<InvoiceRow> {
  const known = await closed(db, customer)
  return await collected(db, known.row.id, known)
}

const told = ({ id, stripeInvoiceId, number, status }: InvoiceRow) => ({
  id,
  stripeInvoiceId,
  number,
  status,
})

/** What a base backup of now would restore. */
async function restoring(work: (db: Database) => Promise<void>): Promise<void> {
  const { db, drop } = await copyDatabase(installation.database)
  try {
    await work(db)
  } finally {
    await drop()
  }
}

/** Since so many requests the product has looked first, or has not, and made nothing. */
async function expectAdopted(
  { stripeCustomerId }: Subscribed,
  { behind, first }: { readonly behind: number; readonly first: string },
): Promise<void> {
  const { sandboxUrl } = installation
  expect((await askedAboutInvoices(sandboxUrl, { stripeCustomerId, behind }))[0]).toBe(first)
  const invoices = await invoicesAtStripe(sandboxUrl, stripeCustomerId)
  expect(invoices.map(({ status }) => status)).toEqual(['paid'])
}

test('rule 31: a restored database looks, before and after it is noted, and adopts what its earlier life billed', async () => {
  const { database, sandboxUrl } = installation
  const [one, other] = [await subscribed('restored-one'), await subscribed('restored-other')]
  await restoring(async (db) => {
    const lost = [await billed(database.db, one), await billed(database.db, other)]
    await sql`UPDATE continuity SET seen_at = now() - interval '6 minutes'`.execute(db)
    const { length: behind } = await journal(sandboxUrl)
    const again = [await billed(db, one)]
    await noteAlive(db, null)
    again.push(await billed(db, other))
    expect(again.map(told)).toEqual(lost.map(told))
    for (const customer of [one, other]) await expectAdopted(customer, { behind, first: 'GET /v1/invoices' })
  })
})

test('rule 31: of a database that was set back by a moment, unnoticed, the key answers what its earlier life billed', async () => {
  const customer = await subscribed('set-back')
  await restoring(async (db) => {
    const lost = await billed(installation.database.db, customer)
    const { length: behind } = await journal(installation.sandboxUrl)
    expect(told(await billed(db, customer))).toEqual(told(lost))
    await expectAdopted(customer, { behind, first: 'POST /v1/invoices' })
  })
})

test('rule 31: a worker that stood still behind its closing, while another went on, makes nothing of it', async () => {
  const { database, sandboxUrl } = installation
  const customer = await subscribed('stood-still')
  const known = await closed(database.db, customer)
  await collected(database.db, known.row.id)
  const { length: behind } = await journal(sandboxUrl)
  await expect(collected(database.db, known.row.id, known)).rejects.toMatchObject({ code: 'conflict' })
  await expectAdopted(customer, { behind, first: 'POST /v1/invoices' })
})
