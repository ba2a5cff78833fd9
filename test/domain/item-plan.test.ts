import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { credits, planItems, planWithoutCredits } from '../../src/domain/item-plan.ts'
import type { ItemChange, PlacedItem } from '../../src/domain/item-plan.ts'
import { settlementOf } from '../../src/domain/item-settlement.ts'

const item = (id: string, amountMinor: bigint, isPending: boolean, lineKey = 'usage'): PlacedItem => ({
  id,
  lineKey,
  amountMinor,
  isPending,
})
const usage = (amountMinor: bigint) => [{ lineKey: 'usage', amountMinor }]

test('the first run makes an item, a later one changes it while it is pending', () => {
  expect(planItems(usage(1000n), [])).toEqual([{ kind: 'create', lineKey: 'usage', amountMinor: 1000n }])
  expect(planItems(usage(1500n), [item('a', 1000n, true)])).toEqual([
    { kind: 'update', id: 'a', lineKey: 'usage', amountMinor: 1500n },
  ])
})

test('what an invoice has taken up stays, and another item takes the difference, down as well as up', () => {
  expect(planItems(usage(1500n), [item('a', 1000n, false)])).toEqual([
    { kind: 'create', lineKey: 'usage', amountMinor: 500n },
  ])
  expect(planItems(usage(400n), [item('a', 1000n, false)])).toEqual([
    { kind: 'create', lineKey: 'usage', amountMinor: -600n },
  ])
  expect(planItems(usage(1000n), [item('a', 1000n, false)])).toEqual([])
})

test('a line that is gone is taken back: pending by deleting, invoiced by a credit', () => {
  expect(planItems([], [item('a', 1000n, true)])).toEqual([{ kind: 'delete', id: 'a', lineKey: 'usage' }])
  expect(planItems([], [item('a', 1000n, false)])).toEqual([
    { kind: 'create', lineKey: 'usage', amountMinor: -1000n },
  ])
})

test('without credits, what is taken back is taken off the largest pending item, and of two off the next too', () => {
  const items = [item('a', 1000n, false), item('b', 300n, true, 'seats'), item('c', 900n, true, 'calls')]
  const targets = [
    { lineKey: 'usage', amountMinor: 0n },
    { lineKey: 'seats', amountMinor: 300n },
    { lineKey: 'calls', amountMinor: 900n },
  ]
  expect(planWithoutCredits(planItems(targets, items))).toEqual({
    changes: [
      { kind: 'update', id: 'b', lineKey: 'seats', amountMinor: 200n },
      { kind: 'delete', id: 'c', lineKey: 'calls' },
    ],
    unsentMinor: 0n,
  })
})

test('without credits, what no pending item can take is not sent, and nothing is lost', () => {
  const pending = item('b', 300n, true, 'seats')
  expect(planWithoutCredits(planItems([], [item('a', 1000n, false), pending]))).toEqual({
    changes: [{ kind: 'delete', id: 'b', lineKey: 'seats' }],
    unsentMinor: -1000n,
  })
  const targets = [...usage(600n), { lineKey: 'seats', amountMinor: 300n }]
  expect(planWithoutCredits(planItems(targets, [item('a', 1000n, false), pending]))).toEqual({
    changes: [{ kind: 'delete', id: 'b', lineKey: 'seats' }],
    unsentMinor: -100n,
  })
})

test('pending items of one line become one', () => {
  const items = [item('a', 0n, true), item('b', 250n, true), item('c', 100n, false)]
  expect(planItems(usage(400n), items)).toEqual([
    { kind: 'update', id: 'b', lineKey: 'usage', amountMinor: 300n },
    { kind: 'delete', id: 'a', lineKey: 'usage' },
  ])
  expect(planItems(usage(100n), items)).toEqual([
    { kind: 'delete', id: 'a', lineKey: 'usage' },
    { kind: 'delete', id: 'b', lineKey: 'usage' },
  ])
})

test('without credits, a credit that waits from before is taken back', () => {
  const items = [item('a', 1000n, false), item('b', -400n, true)]
  expect(planWithoutCredits(planItems(usage(600n), items))).toEqual({
    changes: [{ kind: 'delete', id: 'b', lineKey: 'usage' }],
    unsentMinor: -400n,
  })
})

/** What the items are once the changes are made. */
function carriedOut(items: readonly PlacedItem[], changes: readonly ItemChange[]): readonly PlacedItem[] {
  let after = [...items]
  for (const [index, change] of changes.entries()) {
    if (change.kind === 'create') after.push(item(`new${index}`, change.amountMinor, true, change.lineKey))
    else if (change.kind === 'delete') after = after.filter(({ id }) => id !== change.id)
    else {
      const { id, amountMinor } = change
      after = after.map((each) => (each.id === id ? { ...each, amountMinor } : each))
    }
  }
  return after
}

const isAlready = (each: PlacedItem, { id, amountMinor }: Extract<ItemChange, { kind: 'update' }>): boolean =>
  each.id === id && each.amountMinor === amountMinor

test('rule 19: whatever was invoiced meanwhile, the items of a line add up to it, and a second run changes nothing', () => {
  const keys = fc.constantFrom('a', 'b', 'c')
  const amounts = fc.bigInt({ min: -10_000n, max: 10_000n })
  const items = fc
    .array(fc.record({ lineKey: keys, amountMinor: amounts, isPending: fc.boolean() }), { maxLength: 8 })
    .map((all) => all.map((each, index) => ({ ...each, id: `i${index}` })))
  const targets = fc.uniqueArray(fc.record({ lineKey: keys, amountMinor: amounts }), {
    selector: ({ lineKey }) => lineKey,
  })
  fc.assert(
    fc.property(targets, items, (wanted, before) => {
      const after = carriedOut(before, planItems(wanted, before))
      for (const key of ['a', 'b', 'c']) {
        const total = after
          .filter(({ lineKey }) => lineKey === key)
          .reduce((sum, { amountMinor }) => sum + amountMinor, 0n)
        expect(total).toBe(wanted.find(({ lineKey }) => lineKey === key)?.amountMinor ?? 0n)
      }
      const again = planItems(wanted, after)
      expect(
        again.filter((change) => change.kind !== 'update' || !after.some((each) => isAlready(each, change))),
      ).toEqual([])
      const plan = planWithoutCredits(planItems(wanted, before))
      const total = (all: readonly { readonly amountMinor: bigint }[]): bigint =>
        all.reduce((sum, { amountMinor }) => sum + amountMinor, 0n)
      expect(total(carriedOut(before, plan.changes)) + plan.unsentMinor).toBe(total(wanted))
      expect(plan.unsentMinor).toBeLessThanOrEqual(0n)
      expect(credits(plan.changes)).toEqual([])
    }),
  )
})

test('an invoice whose items Stripe bills is paid when all of its invoices are', () => {
  const on = (invoice: string | null, status: string | null, amountMinor = 500n) => ({
    invoice,
    status,
    amountMinor,
  })
  expect(settlementOf([on('in_1', 'paid'), on('in_2', 'paid')])).toEqual({
    status: 'paid',
    paidMinor: 1000n,
    reason: null,
  })
  expect(settlementOf([on('in_1', 'paid'), on(null, null)])).toMatchObject({
    status: 'open',
    paidMinor: 500n,
    reason: 'no invoice at Stripe has taken it up yet',
  })
  expect(settlementOf([on('in_1', 'void')])).toMatchObject({ status: 'voided', reason: 'in_1 was voided' })
  expect(settlementOf([on('in_1', 'paid'), on('in_2', 'void')]).status).toBe('uncollectible')
  expect(settlementOf([on('in_1', 'open'), on('in_2', 'void')]).status).toBe('open')
})
