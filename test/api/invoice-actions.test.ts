import { HTTPError } from '@openmeter/sdk'
import type { OpenMeter } from '@openmeter/sdk'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { recordInvoiceCommand } from '../../src/db/stores/invoices.ts'
import { recordingTemporal } from './billing-fixtures.ts'
import type { Call } from './billing-fixtures.ts'
import { connectClient } from './client.ts'
import { insertInvoiceRow, insertOwner } from './invoice-fixtures.ts'
import type { Owner } from './invoice-fixtures.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
let client: OpenMeter
let owner: Owner
let calls: Call[]
let act: (call: Call) => Promise<void> | void = () => {}

beforeAll(async () => {
  const recorded = recordingTemporal(async (call) => await act(call))
  calls = recorded.calls
  api = await startTestApi({ temporal: recorded.temporal })
  client = await connectClient(api.app)
  owner = await insertOwner(api.db)
})
afterAll(async () => await api.close())
beforeEach(() => {
  calls.length = 0
  act = () => {}
})

test('what a person asks of an invoice goes to the workflow that owns it', async () => {
  const id = await insertInvoiceRow(api.db, owner, { substatus: 'waiting_approval' })
  act = async ({ name }) => {
    if (name === 'updateInvoice')
      await api.db
        .updateTable('invoices')
        .set({ status: 'issued', substatus: null })
        .where('id', '=', id)
        .execute()
  }
  const url = `/api/v1/billing/invoices/${id}/approve`
  const approved = await api.app.inject({ method: 'POST', url, headers: { 'idempotency-key': 'approve-1' } })
  expect(approved.json()).toMatchObject({ id, status: 'issued' })
  expect(calls).toMatchObject([
    { name: 'startInvoice', args: [{ invoiceId: id, customerKey: 'acme', testNowMs: null }] },
    { name: 'updateInvoice', args: [id, { kind: 'approve', requestId: 'anonymous/approve-1' }] },
  ])
})

test('an approval whose answer got lost is not refused when it is repeated under its key', async () => {
  const id = await insertInvoiceRow(api.db, owner, { status: 'draft', substatus: 'waiting_approval' })
  const repeated = { invoiceId: id, requestId: 'anonymous/approve-lost', kind: 'approve' }
  await recordInvoiceCommand(api.db, repeated)
  await api.db.updateTable('invoices').set({ status: 'paid' }).where('id', '=', id).execute()
  const url = `/api/v1/billing/invoices/${id}/approve`
  const headers = { 'idempotency-key': 'approve-lost' }
  expect((await api.app.inject({ method: 'POST', url, headers })).json()).toMatchObject({ status: 'paid' })
  expect(calls).toEqual([])
})

test('an invoice is voided as a whole, with a reason', async () => {
  const id = await insertInvoiceRow(api.db, owner, { status: 'issued' })
  await client.billing.invoices.void(id, {
    reason: 'duplicate',
    action: { percentage: 100, action: { type: 'discard' } },
  })
  expect(calls.at(-1)).toMatchObject({
    name: 'updateInvoice',
    args: [id, { kind: 'void', reason: 'duplicate' }],
  })
  const half = client.billing.invoices.void(id, {
    reason: 'half',
    action: { percentage: 50, action: { type: 'discard' } },
  })
  await expect(half).rejects.toMatchObject({ status: 400 })
})

test('an action that is not offered is refused, and nothing is sent', async () => {
  const id = await insertInvoiceRow(api.db, owner, { status: 'paid' })
  const { invoices } = client.billing
  const attempts = [
    async () => await invoices.approve(id),
    async () => await invoices.retry(id),
    async () => await invoices.advance(id),
    async () => await invoices.delete(id),
    async () => await invoices.snapshotQuantities(id),
    async () => await invoices.recalculateTax(id),
  ]
  for (const attempt of attempts) {
    const error: unknown = await attempt().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(HTTPError)
    expect(error).toMatchObject({ status: 409, type: 'urn:perennial:problem:action_not_available' })
  }
  expect(calls).toEqual([])
})
