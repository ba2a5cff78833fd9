import type { Check } from './contract.ts'
import { findings } from './contract.ts'
import type { Fleet } from './fleet.ts'
import type { InvoiceRow, OurSide, SubscriptionRow } from './rows.ts'
import type { Workflow } from './workflows.ts'

const iso = (at: number): string => new Date(at).toISOString()
/** What was written off waits on while it is due: something was reported of it that Stripe could not be asked about. */
const isSettled = ({ status, next_due_at: due }: InvoiceRow): boolean =>
  ['paid', 'voided'].includes(status) || (status === 'uncollectible' && due === null)

const hasEnded = ({ lifecycle, next_due_at: due }: SubscriptionRow): boolean =>
  lifecycle === 'ended' && due === null
const isRunning = ({ status, substatus }: InvoiceRow): boolean =>
  status === 'draft' && substatus === 'accruing'

/** Ids of the workflows that have to be open. */
export function wantedOpen({ subscriptions, invoices }: OurSide): readonly string[] {
  return [
    ...subscriptions.filter((row) => !hasEnded(row)).map(({ id }) => `subscription/${id}`),
    ...invoices.filter((row) => !isSettled(row) && !isRunning(row)).map(({ id }) => `invoice/${id}`),
  ]
}

/** What an open invoice waits for, in words; null: nothing that can be named. */
function reasonOf(row: InvoiceRow): string | null {
  const { status, substatus, status_reason: why, next_due_at: due } = row
  const known = substatus ?? ''
  switch (status) {
    case 'draft':
      if (known === 'waiting_draft_period') return row.draft_until === null ? null : 'its draft period'
      return known === 'waiting_approval' ? 'approval' : null
    case 'issuing':
      return ['failed', 'waiting_for_stripe'].includes(known) ? why : null
    case 'payment_processing':
    case 'uncollectible':
      return why
    case 'issued':
    case 'overdue':
      if (['action_required', 'payment_method_needed', 'dunning_ended'].includes(known)) return why ?? known
      if (known === 'payment_failed') return due === null ? null : why
      return row.sends && row.due_at !== null ? 'the customer' : null
    default:
      return null
  }
}

/** Whatever is open waits for something that its row names, and nothing that should have happened by now is left. */
export function checkWaiting(fleet: Fleet, workflows: readonly Workflow[]): Check {
  const found = findings('nothing is stuck without a visible reason')
  const { ours } = fleet
  const open = new Map(workflows.filter(({ status }) => status === 'RUNNING').map((each) => [each.id, each]))
  for (const { id, runId, status, troubles } of workflows) {
    found.examine()
    const isSound = ['RUNNING', 'COMPLETED', 'CONTINUED_AS_NEW'].includes(status)
    found.claim(isSound, () => `workflow ${id} (${runId}) is ${status}`)
    for (const trouble of troubles) found.claim(false, () => `workflow ${id} (${runId}): ${trouble}`)
  }
  const wanted = new Set(wantedOpen(ours))
  const known = new Set<string>()
  for (const row of ours.subscriptions) {
    found.examine()
    known.add(`subscription/${row.id}`)
    const isOpen = open.has(`subscription/${row.id}`)
    found.claim(
      isOpen === wanted.has(`subscription/${row.id}`),
      () => `subscription ${row.id} is ${row.lifecycle}, its workflow ${isOpen ? 'open' : 'not'}`,
    )
    const { now } = fleet.customer(row.customer_id)
    const isParked = row.lifecycle === 'parked' && row.lifecycle_reason !== null
    const waits = isParked || hasEnded(row) || (row.next_due_at !== null && row.lifecycle_reason === null)
    found.claim(
      waits,
      () => `subscription ${row.id} waits for nothing: ${row.lifecycle_reason ?? row.lifecycle}`,
    )
    pastDue(`subscription ${row.id}`, row.next_due_at, now)
  }
  for (const row of ours.invoices) {
    found.examine()
    known.add(`invoice/${row.id}`)
    const isOpen = open.has(`invoice/${row.id}`)
    const state = `${row.status}/${row.substatus ?? '-'}`
    found.claim(
      isOpen === wanted.has(`invoice/${row.id}`),
      () => `invoice ${row.id} is ${state}, its workflow ${isOpen ? 'open' : 'not'}`,
    )
    // Stripe answers again, and nobody has changed anything there: what was not issued by now never would be.
    found.claim(row.status !== 'issuing', () => `invoice ${row.id} was not issued: ${row.status_reason}`)
    found.claim(
      !wanted.has(`invoice/${row.id}`) || reasonOf(row) !== null,
      () => `invoice ${row.id} is ${state} and says nothing of what it waits for`,
    )
    pastDue(`invoice ${row.id}`, row.next_due_at, fleet.customer(row.customer_id).now)
  }
  for (const { id, status } of ours.clocks) {
    found.examine()
    known.add(`test-clock/${id}`)
    found.claim(status === 'ready', () => `test clock ${id} is ${status}`)
  }
  for (const id of open.keys()) found.claim(known.has(id), () => `workflow ${id} is of no row`)
  for (const { id, what, last_error: error } of ours.undelivered)
    found.claim(false, () => `${id} (${what}) was not delivered: ${error ?? 'no reason'}`)
  return found.check()

  function pastDue(name: string, dueAt: number | null, now: number): void {
    found.claim(
      dueAt === null || dueAt > now,
      () => `${name} was due at ${iso(dueAt ?? 0)}, now it is ${iso(now)}`,
    )
  }
}
