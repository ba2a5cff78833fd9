import { Client, Connection } from '@temporalio/client'
import type { WorkflowExecutionInfo } from '@temporalio/client'
import type { AuditTarget } from './contract.ts'

/** A run of a workflow, with what went wrong in it and everything that it has written down. */
export interface Workflow {
  readonly id: string
  readonly runId: string
  readonly status: string
  readonly troubles: readonly string[]
}

export interface VisitedWorkflow extends Workflow {
  /** Of the whole history, of memo and search attributes: payloads decoded, one long text. */
  readonly text: string
}

/** As many as a development server answers side by side without being slower for it. */
const AT_ONCE = 12

/**
 * Reads every run, open or closed, and hands each over: the texts of all would not fit into memory.
 * @param visit Called in no order.
 */
export async function visitWorkflows(
  target: Pick<AuditTarget, 'temporalAddress' | 'namespace' | 'taskQueue'>,
  visit: (workflow: VisitedWorkflow) => void,
): Promise<void> {
  const connection = await Connection.connect({ address: target.temporalAddress })
  try {
    const client = new Client({ connection, namespace: target.namespace })
    const query = target.taskQueue === undefined ? '' : `TaskQueue = '${target.taskQueue}'`
    const runs = client.workflow.list({ query, pageSize: 200 })[Symbol.asyncIterator]()
    const work = async (): Promise<void> => {
      for (;;) {
        const next = await runs.next()
        if (next.done === true) return
        visit(await readWorkflow(client, next.value))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  } finally {
    await connection.close()
  }
}

/** Causes of failed workflow tasks that the server makes by itself and tries again, by their number in its API. */
const harmless: ReadonlyMap<number, string> = new Map([
  [1, 'unhandled command'],
  [13, 'reset of the sticky queue'],
  [17, 'forced close'],
  [18, 'failover'],
  [31, 'unhandled update'],
])

async function readWorkflow(client: Client, info: WorkflowExecutionInfo): Promise<VisitedWorkflow> {
  const { workflowId: id, runId } = info
  const handle = client.workflow.getHandle(id, runId)
  const history = await handle.fetchHistory()
  const troubles = (history.events ?? []).flatMap(
    ({ workflowTaskFailedEventAttributes: failed, eventId }) => {
      if (failed == null) return []
      const cause = failed.cause ?? 0
      const why = failed.failure?.message ?? ''
      return harmless.has(cause) ? [] : [`task ${String(eventId)} failed by cause ${cause}: ${why}`]
    },
  )
  if (info.status.name === 'RUNNING') troubles.push(...(await pendingTroubles(client, { id, runId })))
  const text = JSON.stringify(decoded([history.events, info.memo, info.searchAttributes, info.raw]))
  return { id, runId, status: info.status.name, troubles, text }
}

interface Run {
  readonly id: string
  readonly runId: string
}

/** A step or a task that is being tried again and again. */
async function pendingTroubles(client: Client, { id, runId }: Run): Promise<readonly string[]> {
  const { raw } = await client.workflow.getHandle(id, runId).describe()
  const steps = (raw.pendingActivities ?? []).flatMap(({ activityType, attempt, lastFailure }) =>
    (attempt ?? 0) > 1
      ? [`${activityType?.name} is at attempt ${attempt}: ${lastFailure?.message ?? 'not finished'}`]
      : [],
  )
  const attempt = raw.pendingWorkflowTask?.attempt ?? 0
  return attempt > 1 ? [...steps, `its task is at attempt ${attempt}`] : steps
}

/** With all bytes as the text that they are. Who did it, a process on a machine, is nobody's address. */
function decoded(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  if (Array.isArray(value)) return value.map(decoded)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  // Long, which protobuf's 64 bits become.
  if ('toNumber' in value && typeof value.toNumber === 'function') return value.toNumber() as number
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (key === 'identity' ? [] : [[key, decoded(member)]])),
  )
}
