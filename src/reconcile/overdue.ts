import { handOver } from '../db/stores/invoice-handover.ts'
import { overdueSubjects } from '../db/stores/reconciliation.ts'
import type { Overdue } from '../db/stores/reconciliation.ts'
import { workflowIds } from '../temporal/ids.ts'
import type { Finding, Look, ReconcileDeps, Slice } from './deps.ts'
import { startInvoice, startSubscription } from './workflows.ts'

/** Longer than a step takes, and than Temporal waits before it tries one again. */
const OVERDUE_AFTER_MS = 10 * 60 * 1000
const LIMIT = 500

/**
 * What is due and not done, of customers in real time: its workflow is told to look again, and started when it is gone.
 * An invoice that its subscription's step left behind gets a workflow of its own.
 */
export async function overdue(deps: ReconcileDeps, look: Look): Promise<Slice> {
  const { now, dryRun } = look
  const subjects = await overdueSubjects(deps.db, new Date(now.getTime() - OVERDUE_AFTER_MS), LIMIT)
  const findings: Finding[] = []
  for (const subject of subjects) {
    const isWoken = !dryRun && isWorthWaking(subject, look)
    const done = isWoken ? await wake(deps, subject) : null
    findings.push({
      kind: 'overdue',
      subject: workflowIdOf(subject),
      detail: `due since ${subject.dueAt.toISOString()}${done === null ? '' : `; ${done}`}`,
      repaired: done !== null,
    })
  }
  return { examined: subjects.length, findings, next: null }
}

const workflowIdOf = ({ kind, id }: Overdue): string =>
  kind === 'subscription' ? workflowIds.subscription(id) : workflowIds.invoice(id)

/** Each poke is an event in a history: after 10 minutes, 20, 40, … */
function isWorthWaking({ dueAt }: Overdue, { now, lookedAt }: Look): boolean {
  const doublings = (at: Date): number =>
    Math.floor(Math.log2(Math.max((at.getTime() - dueAt.getTime()) / OVERDUE_AFTER_MS, 0.5)))
  return lookedAt === null || doublings(now) > doublings(lookedAt)
}

async function wake(deps: ReconcileDeps, subject: Overdue): Promise<string> {
  const { kind, id } = subject
  if (kind === 'inline_invoice') {
    await handOver(deps.db, id)
    return 'given a workflow of its own'
  }
  if (await deps.temporal.poke(workflowIdOf(subject))) return 'told to look again'
  await (kind === 'subscription' ? startSubscription(deps, id) : startInvoice(deps, id))
  return 'started again from its row'
}
