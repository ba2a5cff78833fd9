import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { reconcileSlice } from '../../src/reconcile/reconcile.ts'
import type { Finding } from '../../src/reconcile/deps.ts'
import { pollEvents } from '../../src/relay/poll-events.ts'
import { metadataKeys } from '../../src/stripe/metadata.ts'
import { stripePost } from '../support/stripe-client.ts'
import { startAccount } from './support.ts'
import type { Account } from './support.ts'

/** An account without an endpoint, of a database that was restored to before its last invoices. */
let database: Account['database']
let sandbox: Account['sandbox']
let stripe: Account['stripe']
let appId: string
let close: Account['close']
let lost: string
beforeAll(async () => {
  ;({ database, sandbox, stripe, appId, close } = await startAccount())
  await database.db.updateTable('apps').set({ livemode: false }).execute()
  const customer = await stripePost(sandbox.url, 'customers', { name: 'Ada', email: 'ada@example.com' })
  const invoice = await stripePost(sandbox.url, 'invoices', {
    customer: customer.id,
    number: 'INV-000007',
    [`metadata[${metadataKeys.invoice}]`]: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    collection_method: 'send_invoice',
    days_until_due: '30',
  })
  await stripePost(sandbox.url, `invoices/${invoice.id}/finalize`)
  lost = invoice.id
})
beforeEach(async () => {
  await database.db.deleteFrom('stripeEvents').execute()
  await database.db.deleteFrom('invoiceNumberSequences').execute()
  const rewound = { eventsCursor: null, missingPermissions: [] }
  await database.db.updateTable('apps').set(rewound).execute()
})
afterAll(async () => await close())

async function reconcile(dryRun: boolean): Promise<readonly Finding[]> {
  const deps = { db: database.db, temporal: {} as never, stripe }
  const findings: Finding[] = []
  let after: string | null = 'stripe'
  do {
    const slice = await reconcileSlice(deps, { dryRun, now: new Date(), lookedAt: null }, after)
    findings.push(...slice.findings)
    after = slice.next
  } while (after?.startsWith('stripe') === true)
  return findings
}

const nextNumbers = async (): Promise<readonly string[]> =>
  (await database.db.selectFrom('invoiceNumberSequences').select('nextNumber').execute()).map(
    ({ nextNumber }) => nextNumber,
  )
const storedTypes = async (): Promise<readonly string[]> =>
  (await database.db.selectFrom('stripeEvents').select('type').execute()).map(({ type }) => type)

test('rule 22: a number that a polled account has is not given out again after a reconciliation', async () => {
  const told = [expect.objectContaining({ kind: 'invoice_only_at_stripe', subject: lost })]
  expect(await reconcile(true)).toEqual(told)
  expect([await nextNumbers(), await storedTypes()]).toEqual([[], []])
  expect(await reconcile(false)).toEqual(told)
  expect(await nextNumbers()).toEqual(['8'])
  // As its poller would have read them.
  expect(await storedTypes()).toContain('invoice.finalized')
})

test('rule 22: nor after it was polled', async () => {
  await pollEvents({ db: database.db, stripe, log: { warn: () => {} } })
  expect(await nextNumbers()).toEqual(['8'])
  expect(await storedTypes()).toContain('invoice.finalized')
})

test('an account whose key may not read events is told of', async () => {
  await database.db
    .updateTable('apps')
    .set({ missingPermissions: ['rak_event_read'] })
    .execute()
  expect(await reconcile(false)).toMatchObject([{ kind: 'not_compared', subject: appId }])
})
