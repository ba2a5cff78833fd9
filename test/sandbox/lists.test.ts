import { afterAll, beforeAll, expect, test } from 'vitest'
import { customerWith, openInvoice, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
let made: string[]
let customer: string
beforeAll(async () => {
  world = await startWorld()
  customer = (await customerWith(world.stripe)).id
  made = []
  for (let i = 0; i < 5; i++) made.push((await openInvoice(world.stripe, customer, 100 + i)).id)
})
afterAll(() => world.close())

const ids = (list: { readonly data: readonly { readonly id: string }[] }) => list.data.map(({ id }) => id)

test('a list is newest first, in pages by cursor', async () => {
  const { stripe } = world
  const first = await stripe.invoices.list({ limit: 2 })
  expect(ids(first)).toEqual([made[4], made[3]])
  expect(first.has_more).toBe(true)
  const second = await stripe.invoices.list({ limit: 2, starting_after: String(made[3]) })
  expect(ids(second)).toEqual([made[2], made[1]])
  const back = await stripe.invoices.list({ limit: 2, ending_before: String(made[1]) })
  expect(ids(back)).toEqual([made[3], made[2]])
  expect(ids(await stripe.invoices.list({ customer, limit: 2, ending_before: String(made[1]) }))).toEqual([
    made[3],
    made[2],
  ])
  expect(ids(await stripe.invoices.list({ customer, limit: 3, starting_after: String(made[2]) }))).toEqual([
    made[1],
    made[0],
  ])
})

test('auto-pagination visits each once; backwards it goes from oldest to newest', async () => {
  const { stripe } = world
  const forward = await stripe.invoices.list({ limit: 2 }).autoPagingToArray({ limit: 100 })
  expect(ids({ data: forward })).toEqual(made.toReversed())
  const later = await stripe.invoices
    .list({ limit: 2, ending_before: String(made[0]) })
    .autoPagingToArray({ limit: 100 })
  expect(ids({ data: later })).toEqual(made.slice(1))
})

test('filters narrow; bad limits and cursors are refused', async () => {
  const { stripe } = world
  await stripe.invoices.pay(String(made[0]))
  expect(ids(await stripe.invoices.list({ status: 'paid' }))).toEqual([made[0]])
  expect(ids(await stripe.invoices.list({ created: { gt: Math.floor(Date.now() / 1000) + 10 } }))).toEqual([])
  expect((await refusalOf(stripe.invoices.list({ limit: 101 }))).statusCode).toBe(400)
  expect((await refusalOf(stripe.invoices.list({ starting_after: 'in_none' }))).code).toBe('resource_missing')
  expect((await stripe.events.list({ types: ['invoice.paid', 'charge.succeeded'] })).data).toHaveLength(2)
})

test('ids expand to objects along paths, also through lists', async () => {
  const { stripe } = world
  const paid = await stripe.invoices.retrieve(String(made[0]), {
    expand: ['customer', 'payments.data.payment.payment_intent.latest_charge', 'confirmation_secret'],
  })
  expect(paid.customer).toMatchObject({ object: 'customer', email: 'ada@example.com' })
  expect(paid.payments?.data[0]?.payment.payment_intent).toMatchObject({
    object: 'payment_intent',
    latest_charge: { object: 'charge' },
  })
  expect(paid.confirmation_secret?.type).toBe('payment_intent')
  const list = await stripe.invoices.list({ limit: 1, expand: ['data.customer'] })
  expect(list.data[0]?.customer).toMatchObject({ object: 'customer' })
  expect((await stripe.invoices.retrieve(String(made[0]))).payments).toBeUndefined()
})

test('what cannot be expanded is refused by name', async () => {
  const refusal = await refusalOf(world.stripe.invoices.retrieve(String(made[0]), { expand: ['total'] }))
  expect(refusal.message).toBe('This property cannot be expanded (total).')
})
