import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from './context.ts'
import { createdDelivery, invoiceDue } from './due.ts'
import { emitObject } from './events.ts'
import { strip } from './present.ts'
import { subscriptionDue } from './subscriptions/due.ts'
import type { ClockRecord, InvoiceRecord, SubscriptionRecord } from './records.ts'

/** How long a clock waits, in real time, for the first try of an `invoice.created` before it finalizes. */
const DELIVERY_PATIENCE_MS = 10_000
const TICK_MS = 1000

/** Makes time pass: test clocks that advance, and real time for everything else. */
export interface TimeKeeper {
  /** Look again soon: something changed. */
  readonly kick: () => void
  readonly isBusy: (clock: string) => boolean
  readonly close: () => Promise<void>
}

interface Deps {
  readonly context: () => Context
  /** Told when something may have changed. */
  readonly changed: () => void
  readonly fail: (error: unknown) => void
}

type Waiting = Pick<InvoiceRecord, 'id' | '_dueAt'> | Pick<SubscriptionRecord, 'id' | '_dueAt'>

/** The earliest of a kind; of the same instant, the oldest. */
function earliest<T extends Waiting>(waiting: readonly T[], until: number): T | undefined {
  let next: T | undefined
  for (const record of waiting) {
    if (record._dueAt === null || record._dueAt > until) continue
    if (next === undefined || record._dueAt < (next._dueAt ?? 0)) next = record
  }
  return next
}

interface Due {
  readonly at: number
  readonly invoice?: InvoiceRecord
  readonly subscription?: SubscriptionRecord
}

/** What time changes next: an invoice before a subscription of the same instant, for that closes its older period. */
function nextDue(ctx: Context, clock: string, until: number): Due | undefined {
  const invoice = earliest(ctx.store.by('invoices', 'due', clock), until)
  const subscription = earliest(ctx.store.by('subscriptions', 'due', clock), invoice?._dueAt ?? until)
  if (subscription !== undefined && (invoice === undefined || before(subscription, invoice)))
    return { at: subscription._dueAt ?? 0, subscription }
  return invoice === undefined ? undefined : { at: invoice._dueAt ?? 0, invoice }
}

const before = (a: Waiting, b: Waiting) => (a._dueAt ?? 0) < (b._dueAt ?? 0)

function expireSessions(ctx: Context, now: number): void {
  for (const session of ctx.store.by('sessions', 'due', '')) {
    if (session._dueAt === null || session._dueAt > now) continue
    const expired = ctx.store.put('sessions', { ...session, status: 'expired', url: null, _dueAt: null })
    emitObject(ctx, 'checkout.session.expired', strip(expired))
  }
}

export function createTimeKeeper({ context, changed, fail }: Deps): TimeKeeper {
  const life = { closed: false }
  let running: Promise<void> | null = null
  let again = false

  const untilTried = async (ctx: Context, invoice: InvoiceRecord) => {
    const deadline = Date.now() + DELIVERY_PATIENCE_MS
    while (
      !life.closed &&
      Date.now() < deadline &&
      invoice.status === 'draft' &&
      createdDelivery(ctx, invoice) === 'untried'
    )
      await sleep(20)
  }

  const runDue = async (ctx: Context, { invoice, subscription }: Due) => {
    if (subscription !== undefined) ctx.store.transact(() => subscriptionDue(ctx, subscription))
    if (invoice === undefined) return changed()
    await untilTried(ctx, invoice)
    const current = ctx.store.get('invoices', invoice.id)
    if (current !== undefined && current._dueAt !== null) ctx.store.transact(() => invoiceDue(ctx, current))
    changed()
  }

  /** From one due instant to the next, so that each thing happens at its own time. */
  const advance = async (ctx: Context, clock: ClockRecord) => {
    const target = clock._target ?? clock.frozen_time
    for (;;) {
      const current = ctx.store.get('clocks', clock.id)
      if (life.closed || current === undefined) return
      const due = nextDue(ctx, clock.id, target)
      if (due === undefined) break
      const frozen = Math.max(current.frozen_time, due.at)
      ctx.store.transact(() => ctx.store.put('clocks', { ...current, frozen_time: frozen }))
      await runDue(ctx, due)
    }
    ctx.store.transact(() => {
      const current = ctx.store.get('clocks', clock.id)
      if (current === undefined) return
      const ready: ClockRecord = {
        ...current,
        frozen_time: target,
        status: 'ready',
        status_details: {},
        _target: null,
      }
      ctx.store.put('clocks', ready)
      emitObject(ctx, 'test_helpers.test_clock.ready', strip(ready), { clock: clock.id })
    })
    changed()
  }

  const pass = async () => {
    const ctx = context()
    const now = Math.floor(ctx.nowMs() / 1000)
    ctx.store.transact(() => expireSessions(ctx, now))
    for (let due = nextDue(ctx, '', now); due !== undefined && !life.closed; due = nextDue(ctx, '', now))
      await runDue(ctx, due)
    await Promise.all(
      [...ctx.store.all('clocks')].map(async (clock) => {
        if (clock.status === 'advancing') return advance(ctx, clock)
        for (
          let due = nextDue(ctx, clock.id, clock.frozen_time);
          due !== undefined && !life.closed;
          due = nextDue(ctx, clock.id, clock.frozen_time)
        ) {
          await runDue(ctx, due)
        }
      }),
    )
  }

  const loop = async () => {
    do {
      again = false
      await pass()
    } while (again && !life.closed)
  }
  const kick = () => {
    if (life.closed) return
    again = true
    running ??= loop()
      .catch(fail)
      .finally(() => {
        running = null
      })
  }
  const timer = setInterval(kick, TICK_MS)

  return {
    kick,
    isBusy: (clock) => {
      const ctx = context()
      const record = ctx.store.get('clocks', clock)
      return (
        record !== undefined &&
        (record.status === 'advancing' || nextDue(ctx, clock, record.frozen_time) !== undefined)
      )
    },
    close: async () => {
      life.closed = true
      clearInterval(timer)
      await running
    },
  }
}
