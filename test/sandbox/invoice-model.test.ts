import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { customerWith, draftOf, startWorld } from './world.ts'
import type { World } from './world.ts'
import { runs } from '../support/properties.ts'

type Status = 'draft' | 'open' | 'paid' | 'void' | 'uncollectible'
type Action = 'finalize' | 'pay' | 'void' | 'mark' | 'edit' | 'fail'

/** The documented transitions; what is absent is refused and changes nothing [stripe docs: invoice workflow]. */
const model: Readonly<Record<Status, Partial<Record<Action, Status>>>> = {
  draft: { finalize: 'open', pay: 'paid', edit: 'draft', fail: 'open' },
  open: { pay: 'paid', void: 'void', mark: 'uncollectible', fail: 'open' },
  uncollectible: { pay: 'paid', void: 'void', fail: 'uncollectible' },
  paid: {},
  void: {},
}

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

async function perform(
  invoice: string,
  action: Action,
  cards: { readonly good: string; readonly bad: string },
): Promise<void> {
  const { invoices } = world.stripe
  switch (action) {
    case 'finalize':
      return void (await invoices.finalizeInvoice(invoice))
    case 'pay':
      return void (await invoices.pay(invoice, { payment_method: cards.good }))
    case 'fail':
      return void (await invoices.pay(invoice, { payment_method: cards.bad }))
    case 'void':
      return void (await invoices.voidInvoice(invoice))
    case 'mark':
      return void (await invoices.markUncollectible(invoice))
    case 'edit':
      return void (await invoices.addLines(invoice, { lines: [{ amount: 100 }] }))
  }
}

test('whatever is done to an invoice, its state follows the documented transitions', async () => {
  const { stripe } = world
  const customer = (await customerWith(stripe)).id
  const good = (await stripe.paymentMethods.attach('pm_card_visa', { customer })).id
  const bad = (await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer })).id
  const actions = fc.array(fc.constantFrom<Action>('finalize', 'pay', 'void', 'mark', 'edit', 'fail'), {
    maxLength: 8,
  })
  await fc.assert(
    fc.asyncProperty(actions, async (sequence) => {
      const { id } = await draftOf(stripe, customer, 1000)
      let status: Status = 'draft'
      for (const action of sequence) {
        const next: Status | undefined = model[status][action]
        const done = await perform(id, action, { good, bad }).then(
          () => true,
          () => false,
        )
        // A declined payment changes state and is refused all the same.
        expect(done).toBe(next !== undefined && action !== 'fail')
        status = next ?? status
        const invoice = await stripe.invoices.retrieve(id)
        expect(invoice.status).toBe(status)
        const charges = await stripe.charges.list({ customer, limit: 1 })
        if (status === 'paid' && action === 'pay' && done) expect(charges.data[0]?.amount).toBe(invoice.total)
        expect(invoice.amount_paid + invoice.amount_remaining).toBe(invoice.amount_due)
      }
    }),
    { numRuns: runs(25) },
  )
})
