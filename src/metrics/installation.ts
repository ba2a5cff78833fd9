import { setTimeout as delay } from 'node:timers/promises'
import { Gauge } from 'prom-client'
import type { Registry } from 'prom-client'
import type { Database } from '../db/connection.ts'
import { readInstallationState } from '../db/stores/installation-state.ts'
import type { InstallationState } from '../db/stores/installation-state.ts'

/** However often it is scraped. */
const READ_AT_MOST_EVERY_MS = 5_000
const READ_LIMIT_MS = 3_000

/**
 * What the database says of the whole installation: the same in every worker, so alerts take the maximum. Without an answer
 * of the database there are no such series, and `perennial_database_up` is 0.
 */
export function installationGauges(registry: Registry, db: Database): void {
  const read = atMostEvery(READ_AT_MOST_EVERY_MS, async () => await answerOf(db))
  for (const { name, help, labelNames, valuesOf } of gauges) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: [...(labelNames ?? [])],
      registers: [],
      async collect() {
        const state = await read()
        gauge.reset()
        // Without labels it is 0 after a reset, which would say that all is well.
        if (state === null && labelNames === undefined) gauge.remove()
        if (state !== null) for (const [labels, value] of valuesOf(state)) gauge.set(labels, value)
      },
    })
    registry.registerMetric(gauge)
  }
  const up: Gauge = new Gauge({
    name: 'perennial_database_up',
    help: 'Whether the database answered within three seconds',
    registers: [],
    async collect() {
      up.set((await read()) === null ? 0 : 1)
    },
  })
  registry.registerMetric(up)
}

type Labels = Readonly<Record<string, string>>

interface InstallationGauge {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
  readonly valuesOf: (state: InstallationState) => readonly (readonly [Labels, number])[]
}

const gauges: readonly InstallationGauge[] = [
  {
    name: 'perennial_relay_pending',
    help: 'Rows of inbox and outbox that are not done',
    labelNames: ['box'],
    valuesOf: ({ inbox, outbox }) => [
      [{ box: 'inbox' }, inbox.count],
      [{ box: 'outbox' }, outbox.count],
    ],
  },
  {
    name: 'perennial_relay_oldest_seconds',
    help: 'Age of the oldest row of inbox and outbox that is not done',
    labelNames: ['box'],
    valuesOf: ({ inbox, outbox }) => [
      [{ box: 'inbox' }, inbox.oldestSeconds],
      [{ box: 'outbox' }, outbox.oldestSeconds],
    ],
  },
  {
    name: 'perennial_overdue',
    help: 'Due and not done, in real time: closings of subscriptions and next steps of invoices',
    labelNames: ['of'],
    valuesOf: ({ dueSubscriptions, dueInvoices }) => [
      [{ of: 'subscription' }, dueSubscriptions.count],
      [{ of: 'invoice' }, dueInvoices.count],
    ],
  },
  {
    name: 'perennial_overdue_oldest_seconds',
    help: 'How long the oldest of them has been due',
    labelNames: ['of'],
    valuesOf: ({ dueSubscriptions, dueInvoices }) => [
      [{ of: 'subscription' }, dueSubscriptions.oldestSeconds],
      [{ of: 'invoice' }, dueInvoices.oldestSeconds],
    ],
  },
  {
    name: 'perennial_usage_rollups_behind_events',
    help: 'Events that are not rolled up yet, at most, for the meter that is furthest behind',
    valuesOf: ({ usageRollups }) => [[{}, usageRollups.count]],
  },
  {
    name: 'perennial_usage_rollups_behind_seconds',
    help: 'How long ago the oldest of them was stored',
    valuesOf: ({ usageRollups }) => [[{}, usageRollups.oldestSeconds]],
  },
  {
    name: 'perennial_subscriptions_parked',
    help: 'Subscriptions that wait for an operator (rule 33)',
    valuesOf: ({ parked }) => [[{}, parked]],
  },
  {
    name: 'perennial_invoices_waiting',
    help: 'Invoices that are not settled, in real time, by status and substatus',
    labelNames: ['status', 'substatus'],
    valuesOf: ({ invoices }) => invoices.map(({ count, ...state }) => [state, count]),
  },
  {
    name: 'perennial_stripe_apps',
    help: 'Installed Stripe accounts, by status: ready, or unauthorized (Stripe refuses the key)',
    labelNames: ['status'],
    valuesOf: ({ apps }) => apps.map(({ status, count }) => [{ status }, count]),
  },
  {
    name: 'perennial_reconciler_last_pass_timestamp_seconds',
    help: 'When the newest pass of the reconciler through everything ended; 0: never',
    valuesOf: ({ reconciler }) => [[{}, reconciler.passedAt]],
  },
  {
    name: 'perennial_reconciler_last_pass_findings',
    help: 'What the newest ended pass of the reconciler found',
    valuesOf: ({ reconciler }) => [[{}, reconciler.findings]],
  },
  {
    name: 'perennial_reconciler_failing',
    help: 'Whether the newest look of the reconciler failed',
    valuesOf: ({ reconciler }) => [[{}, Number(reconciler.isFailing)]],
  },
]

async function answerOf(db: Database): Promise<InstallationState | null> {
  const late = delay(READ_LIMIT_MS, null, { ref: false })
  return await Promise.race([readInstallationState(db).catch(() => null), late])
}

/** Scrapers that come together share one answer. */
function atMostEvery<T>(ms: number, read: () => Promise<T>): () => Promise<T> {
  let last: { readonly atMs: number; readonly answer: Promise<T> } | null = null
  return async () => {
    const atMs = performance.now()
    if (last === null || atMs - last.atMs >= ms) last = { atMs, answer: read() }
    return await last.answer
  }
}
