import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client'
import type { WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client'
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

type Place = Pick<AuditTarget, 'temporalAddress' | 'namespace' | 'taskQueue'>
type Visit = (workflow: VisitedWorkflow) => void

/**
 * Reads every run that is listed, open or closed, and hands each over: the texts of all would not fit into memory.
 * @param visit Called in no order.
 */
export async function visitWorkflows(place: Place, visit: Visit): Promise<void> {
  await withClient(place, async (client) => {
    const query = place.taskQueue === undefined ? '' : `TaskQueue = '${place.taskQueue}'`
    const runs = client.workflow.list({ query, pageSize: 200 })[Symbol.asyncIterator]()
    const work = async (): Promise<void> => {
      for (;;) {
        const next = await runs.next()
        if (next.done === true) return
        visit(await readWorkflow(client, next.value))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  })
}

/** Reads the newest runs of these, where there are any: Temporal lists a run a moment after it has begun. */
export async function visitNewest(place: Place, ids: readonly string[], visit: Visit): Promise<void> {
  await withClient(place, async (client) => {
    for (const id of ids) {
      const newest = await orGone(client.workflow.getHandle(id).describe())
      if (newest !== null) visit(await readWorkflow(client, newest))
    }
  })
}

async function withClient(place: Place, work: (client: Client) => Promise<void>): Promise<void> {
  const connection = await Connection.connect({ address: place.temporalAddress })
  try {
    await work(new Client({ connection, namespace: place.namespace }))
  } finally {
    await connection.close()
  }
}

async function orGone<T>(asked: Promise<T>): Promise<T | null> {
  return await asked.catch((error: unknown) => {
    if (error instanceof WorkflowNotFoundError) return null
    throw error
  })
}

/** Causes of failed workflow tasks that the server makes by itself and tries again, by their number in its API. */
const harmless: ReadonlyMap<number, string> = new Map([
  [1, 'unhandled command'],
  [13, 'reset of the sticky queue'],
  [17, 'forced close'],
  [18, 'failover'],
  [31, 'unhandled update'],
])

type Seen = Omit<WorkflowExecutionInfo, 'raw'> & { readonly raw: unknown }

async function readWorkflow(client: Client, info: Seen): Promise<VisitedWorkflow> {
  const { workflowId: id, runId } = info
  const handle = client.workflow.getHandle(id, runId)
  // One that is listed as open may have ended: lists are behind.
  const now = info.status.name === 'RUNNING' ? await handle.describe() : null
  const history = await handle.fetchHistory()
  const troubles = (history.events ?? []).flatMap(
    ({ workflowTaskFailedEventAttributes: failed, eventId }) => {
      if (failed == null) return []
      const cause = failed.cause ?? 0
      const why = failed.failure?.message ?? ''
      return harmless.has(cause) ? [] : [`task ${String(eventId)} failed by cause ${cause}: ${why}`]
    },
  )
  if (now !== null) troubles.push(...pendingTroubles(now))
  const text = JSON.stringify(decoded([history.events, info.memo, info.searchAttributes, info.raw]))
  return { id, runId, status: (now ?? info).status.name, troubles, text }
}

/** A step or a task that is being tried again and again. */
function pendingTroubles({ raw }: WorkflowExecutionDescription): readonly string[] {
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
