import { findings } from './contract.ts'
import type { Check, Promised } from './contract.ts'
import type { Fleet } from './fleet.ts'

/**
 * What callers were told holds: who was subscribed has one subscription (all else is counted from those that are there), what was
 * voided is void, and what was canceled ends.
 */
export function checkPromised({ ours, invoice }: Fleet, promised: Promised): Check {
  const found = findings('what callers were told holds')
  const customers = new Map(ours.customers.map(({ id, key }) => [id, key]))
  const made = ours.subscriptions.map(({ customer_id: id }) => customers.get(id))
  for (const key of promised.subscribers) {
    found.examine()
    const count = made.filter((each) => each === key).length
    found.claim(count === 1, () => `${key} was told that they are subscribed, and has ${count} subscriptions`)
  }
  for (const id of promised.voided) {
    found.examine()
    const status = invoice.get(id)?.status
    found.claim(
      status === 'voided',
      () => `invoice ${id} was said to be voided, and is ${status ?? 'not there'}`,
    )
  }
  const ends = new Map(ours.subscriptions.map(({ id, active_to: end }) => [id, end]))
  for (const id of promised.canceled) {
    found.examine()
    found.claim(ends.get(id) != null, () => `subscription ${id} was said to be canceled, and has no end`)
  }
  return found.check()
}
