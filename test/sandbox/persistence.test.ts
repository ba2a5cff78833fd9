import { appendFile, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { advanceTo, customerWith, draftOf, openInvoice, startReceiver, startWorld, until } from './world.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sandbox-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('a second start goes on where the first ended, keys included', async () => {
  const dataFile = join(folder, 'a.jsonl')
  const first = await startWorld({ dataFile })
  const customer = await customerWith(first.stripe)
  const open = await openInvoice(first.stripe, customer.id, 900)
  const key = { idempotencyKey: 'k' }
  const kept = await first.stripe.customers.create({ name: 'Kept' }, key)
  await first.close()
  const second = await startWorld({ dataFile })
  expect((await second.stripe.customers.create({ name: 'Kept' }, key)).id).toBe(kept.id)
  expect((await second.stripe.invoices.pay(open.id)).status).toBe('paid')
  expect((await second.stripe.invoices.list({ customer: customer.id })).data.map(({ id }) => id)).toEqual([
    open.id,
  ])
  await second.close()
})

test('whatever was acknowledged is in the file at once; a line cut short is dropped', async () => {
  const dataFile = join(folder, 'a.jsonl')
  const copy = join(folder, 'b.jsonl')
  const first = await startWorld({ dataFile })
  const customer = await first.stripe.customers.create({ name: 'Ada' })
  await copyFile(dataFile, copy)
  await appendFile(copy, '[["customers","cus_half",{"id":"cus_h')
  const second = await startWorld({ dataFile: copy })
  expect((await second.stripe.customers.list()).data.map(({ id }) => id)).toEqual([customer.id])
  expect(await readFile(copy, 'utf8')).not.toContain('cus_half')
  await second.close()
  await first.close()
})

test('pending deliveries and an advancing clock go on after a restart', async () => {
  const dataFile = join(folder, 'a.jsonl')
  const receiver = await startReceiver()
  const first = await startWorld({ dataFile })
  await first.stripe.webhookEndpoints.create({ url: receiver.url, enabled_events: ['customer.created'] })
  await first.control('POST', '/webhooks/hold')
  const clock = await first.stripe.testHelpers.testClocks.create({ frozen_time: 1_800_000_000 })
  const customer = await customerWith(first.stripe, 'pm_card_visa', { test_clock: clock.id })
  const draft = await draftOf(first.stripe, customer.id, 900, { auto_advance: true })
  await first.close()
  const text = await readFile(dataFile, 'utf8')
  const advancing = { status: 'advancing', _target: 1_800_090_000 }
  const lines = text.split('\n').filter((line) => line.includes('"clocks"'))
  const [[, , record]] = JSON.parse(String(lines.at(-1))) as [[string, string, object]]
  await writeFile(dataFile, `${text}${JSON.stringify([['clocks', clock.id, { ...record, ...advancing }]])}\n`)
  const second = await startWorld({ dataFile })
  await until(
    () => second.stripe.testHelpers.testClocks.retrieve(clock.id),
    ({ status }) => status === 'ready',
  )
  expect((await second.stripe.invoices.retrieve(draft.id)).status).toBe('paid')
  await until(
    () => receiver.received,
    ({ length }) => length === 1,
  )
  await advanceTo(second.stripe, clock.id, 1_800_100_000)
  await second.close()
  await receiver.close()
})
