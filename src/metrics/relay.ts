import { Counter, Histogram } from 'prom-client'
import type { Registry } from 'prom-client'
import type { ReconcilerObserver } from '../reconcile/loop.ts'
import type { RelayObserver } from '../relay/relay.ts'

const DELIVERY_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600]

/** How long rows of inbox and outbox took to be acted on. */
export function relayObserver(registry: Registry): RelayObserver {
  const registers = [registry]
  const latency = new Histogram({
    name: 'perennial_relay_delivery_seconds',
    help: 'Time from a row’s arrival in inbox or outbox until it was acted on',
    labelNames: ['box', 'kind'],
    buckets: DELIVERY_SECONDS,
    registers,
  })
  const tries = new Counter({
    name: 'perennial_relay_deliveries_total',
    help: 'Deliveries tried: done, deferred (it is tried again), given_up (an event that nothing could be done about for days)',
    labelNames: ['box', 'outcome'],
    registers,
  })
  for (const outcome of ['done', 'deferred', 'given_up'])
    for (const box of ['inbox', 'outbox']) tries.inc({ box, outcome }, 0)
  return {
    delivered({ box, kind, outcome, seconds }) {
      tries.inc({ box, outcome })
      if (outcome === 'done') latency.observe({ box, kind }, seconds)
    },
  }
}

type FindingKind = Parameters<ReconcilerObserver['found']>[0]['kind']

const findingKinds: Readonly<Record<FindingKind, true>> = {
  workflow_missing: true,
  workflow_without_row: true,
  overdue: true,
  event_missed: true,
  invoice_only_at_stripe: true,
  not_compared: true,
}

/** What the reconciler found, in the worker that looked. */
export function reconcilerObserver(registry: Registry): ReconcilerObserver {
  const findings = new Counter({
    name: 'perennial_reconciler_findings_total',
    help: 'What the reconciler found different, by kind, and whether it was repaired',
    labelNames: ['kind', 'repaired'],
    registers: [registry],
  })
  // An alert asks how they grow: a series that appears with what a pass has found does not.
  for (const kind of Object.keys(findingKinds))
    for (const repaired of ['true', 'false']) findings.inc({ kind, repaired }, 0)
  return { found: ({ kind, repaired }) => findings.inc({ kind, repaired: String(repaired) }) }
}
