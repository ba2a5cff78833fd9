import type { Db } from '../db/connection.ts'
import { completeOutbox, deferOutbox, hasDueOutbox, takeOutbox } from '../db/stores/outbox.ts'
import type { OutboxRow } from '../db/stores/outbox.ts'
import { getSubscription } from '../db/stores/subscriptions.ts'
import { invoiceStart, subscriptionStart } from '../db/stores/workflow-starts.ts'
import { isDomainError } from '../domain/errors.ts'
import { backoffMs } from './backoff.ts'
import { endWithStripe } from './end-subscription.ts'
import { tellStripe, wakeLinked } from './customers.ts'
import type { RelayDeps } from './relay.ts'
import { inTurns } from './turns.ts'
import { beginOrJoin } from './under-way.ts'
import { TooLong, within } from './within.ts'

const BATCH = 50
/** One that Stripe or a workflow keeps waiting is tried again, and holds its batch up no longer: all are safe to repeat. */
const LIMIT_MS = 5_000

/** Delivers what is due and returns how many rows were taken. */
export async function deliverOutbox(deps: RelayDeps): Promise<number> {
  // Mostly there is nothing: one question says so, without a transaction around it.
  if (!(await hasDueOutbox(deps.db))) return 0
  const delivered = await deps.db.transaction().execute(async (trx) => {
    const rows = await takeOutbox(trx, BATCH)
    const tried = await inTurns(rows, {
      keyOf: ({ subjectId }) => subjectId,
      tryOnce: async (row) => await tryOnce(deps, row),
      holdsUp: (error) => error instanceof TooLong,
    })
    const outcomes: (readonly [OutboxRow, Outcome])[] = []
    for (const { row, outcome } of tried) outcomes.push([row, await note(trx, row, outcome)])
    return outcomes
  })
  // What is rolled back comes again, and counts then.
  for (const [row, outcome] of delivered) tell(deps, row, outcome)
  return delivered.length
}

type Outcome = 'done' | 'deferred'

/** null: delivered. */
async function tryOnce(deps: RelayDeps, row: OutboxRow): Promise<Error | null> {
  try {
    await within(
      LIMIT_MS,
      beginOrJoin(deps, `outbox/${row.id}`, async () => await deliver(deps, row)),
    )
    return null
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

async function note(db: Db, row: OutboxRow, error: Error | null): Promise<Outcome> {
  if (error === null) {
    await completeOutbox(db, row.id)
    return 'done'
  }
  await deferOutbox(db, row.id, { delayMs: backoffMs(row.attempts), error: error.message })
  return 'deferred'
}

function tell({ observer }: RelayDeps, row: OutboxRow, outcome: Outcome): void {
  const seconds = (Date.now() - row.createdAt.getTime()) / 1000
  observer?.delivered({ box: 'outbox', kind: row.kind, outcome, seconds })
}

async function deliver(deps: RelayDeps, row: OutboxRow): Promise<void> {
  switch (row.kind) {
    case 'start_subscription': {
      const request = await subscriptionStart(deps.db, row.subjectId)
      if (request) await deps.temporal.startSubscription(request)
      return
    }
    case 'start_invoice': {
      const request = await invoiceStart(deps.db, row.subjectId)
      if (request) await deps.temporal.startInvoice(request)
      return
    }
    case 'start_test_clock':
      // Asking a clock that stands at its target to move changes nothing.
      return await deps.temporal.advanceTestClock(row.subjectId)
    case 'invoice_outcome':
      return await cancelUnpaid(deps, row)
    case 'end_subscription':
      return await endWithStripe(deps, row)
    case 'customer_linked':
      return await wakeLinked(deps, row)
    case 'customer_changed':
      return await tellStripe(deps, row.subjectId)
    default:
      throw new Error(`outbox kind ${row.kind} is unknown to this build`)
  }
}

/**
 * Dunning ended with "cancel": the subscription ends as of then (rule 32), or as of what was billed meanwhile, also one that
 * was canceled for later. An update that was refused is refused again under its id for as long as the run lasts, so each try
 * has its own.
 */
async function cancelUnpaid(deps: RelayDeps, row: OutboxRow): Promise<void> {
  const { invoiceId, effectiveAtMs } = row.payload as {
    readonly invoiceId: string
    readonly effectiveAtMs: number
  }
  const subscription = await getSubscription(deps.db, row.subjectId)
  const billedMs = subscription?.closedThrough?.getTime() ?? effectiveAtMs
  const requestId = row.attempts === 0 ? `unpaid-${invoiceId}` : `unpaid-${invoiceId}-${row.attempts}`
  try {
    await deps.temporal.updateSubscription(row.subjectId, {
      kind: 'cancel',
      requestId,
      effectiveAtMs: Math.max(effectiveAtMs, billedMs),
      bringsForward: true,
    })
  } catch (error) {
    const isOver =
      isDomainError(error) && ['subscription_already_canceled', 'action_not_available'].includes(error.code)
    if (!isOver) throw error
  }
}
