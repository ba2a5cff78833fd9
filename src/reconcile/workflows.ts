import {
  advancingClocks,
  knownSubjects,
  livingSubscriptions,
  waitingInvoices,
} from '../db/stores/reconciliation.ts'
import type { SubjectKind } from '../db/stores/reconciliation.ts'
import { invoiceStart, subscriptionStart } from '../db/stores/workflow-starts.ts'
import { isCollecting } from '../domain/invoice-state.ts'
import type { InvoiceStatus } from '../domain/invoice-state.ts'
import type { WorkflowType } from '../temporal/care.ts'
import { workflowIds } from '../temporal/ids.ts'
import type { Finding, Look, ReconcileDeps, Slice } from './deps.ts'

const PAGE = 500
/** A workflow whose row has just ended may be ending; visibility lags, too. */
const ENDING_MS = 10 * 60 * 1000

interface Stage {
  readonly kind: SubjectKind
  readonly type: WorkflowType
  readonly workflowId: (id: string) => string
  /** Ids of rows that need a workflow. */
  readonly rows: typeof livingSubscriptions
  /** Starts it from its row; false when it runs after all, or its row has ended meanwhile. */
  readonly start: (deps: ReconcileDeps, id: string) => Promise<boolean>
}

export const workflowStages: readonly Stage[] = [
  {
    kind: 'subscription',
    type: 'subscription',
    workflowId: workflowIds.subscription,
    rows: livingSubscriptions,
    start: startSubscription,
  },
  {
    kind: 'invoice',
    type: 'invoice',
    workflowId: workflowIds.invoice,
    rows: waitingInvoices,
    start: startInvoice,
  },
  {
    kind: 'test_clock',
    type: 'testClock',
    workflowId: workflowIds.testClock,
    rows: advancingClocks,
    start: async (deps, id) => {
      await deps.temporal.advanceTestClock(id)
      return true
    },
  },
]

export async function startSubscription(deps: ReconcileDeps, id: string): Promise<boolean> {
  const request = await subscriptionStart(deps.db, id)
  return request !== undefined && (await deps.temporal.restartSubscription(request))
}

/** What happened at Stripe while nothing listened is looked at. */
export async function startInvoice(deps: ReconcileDeps, id: string): Promise<boolean> {
  const request = await invoiceStart(deps.db, id)
  if (request === undefined || !(await deps.temporal.restartInvoice(request))) return false
  if (isCollecting(request.status as InvoiceStatus)) await deps.temporal.poke(workflowIds.invoice(id))
  return true
}

/** One page of rows: each has its workflow, or gets it again. */
export async function missingWorkflows(
  deps: ReconcileDeps,
  stage: Stage,
  { after, dryRun }: Pick<Look, 'dryRun'> & { readonly after: string | null },
): Promise<Slice> {
  const ids = await stage.rows(deps.db, { after, limit: PAGE })
  const open = await deps.temporal.openAmong(ids.map(stage.workflowId))
  const findings: Finding[] = []
  for (const id of ids) {
    const workflowId = stage.workflowId(id)
    if (open.has(workflowId)) continue
    const found = { kind: 'workflow_missing', subject: workflowId } as const
    if (dryRun) findings.push({ ...found, detail: 'no workflow is running for the row', repaired: false })
    else if (await stage.start(deps, id))
      findings.push({ ...found, detail: 'started again from its row', repaired: true })
  }
  return { examined: ids.length, findings, next: ids.length < PAGE ? null : (ids.at(-1) ?? null) }
}

/** One page of open workflows: those without a living row are told of and left alone. */
export async function strayWorkflows(
  deps: ReconcileDeps,
  stage: Stage,
  { after, now }: Pick<Look, 'now'> & { readonly after: string | null },
): Promise<Slice> {
  const page = await deps.temporal.listOpen(stage.type, after)
  const prefix = stage.workflowId('')
  const ids = page.workflowIds.map((workflowId) => workflowId.slice(prefix.length))
  const endedAfter = new Date(now.getTime() - ENDING_MS)
  const known = await knownSubjects(deps.db, stage.kind, { ids, endedAfter })
  const strays = page.workflowIds.filter((workflowId) => !known.has(workflowId.slice(prefix.length)))
  const findings = strays.map((subject): Finding => ({
    kind: 'workflow_without_row',
    subject,
    detail: 'it runs without a living row; look at it in Temporal, and terminate it if it is nobody’s',
    repaired: false,
  }))
  return { examined: ids.length, findings, next: page.next }
}
