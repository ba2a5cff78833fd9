import { createHash } from 'node:crypto'
import type { Client } from '@temporalio/client'
import { DomainError } from '../domain/errors.ts'
import { isGone } from './gone.ts'

export type WorkflowType = 'subscription' | 'invoice' | 'testClock'

/** One page of open workflows. */
export interface OpenWorkflows {
  readonly workflowIds: readonly string[]
  /** Pass as the next `after`; null: there are no more. */
  readonly next: string | null
}

interface OpenQuery {
  readonly type: WorkflowType
  readonly taskQueue: string
  readonly after: string | null
}

const PAGE = 500

/** The open workflows of a type on the task queue, a page at a time. Visibility lags a little behind. */
export async function listOpen(
  client: Client,
  { type, taskQueue, after }: OpenQuery,
): Promise<OpenWorkflows> {
  const query = `ExecutionStatus = 'Running' AND WorkflowType = '${type}' AND TaskQueue = '${taskQueue}'`
  return await openPage(client, { query, pageSize: PAGE, after })
}

interface Page {
  readonly query: string
  readonly pageSize: number
  readonly after: string | null
}

async function openPage(client: Client, { query, pageSize, after }: Page): Promise<OpenWorkflows> {
  const page = await client.workflowService.listWorkflowExecutions({
    namespace: client.options.namespace,
    query,
    pageSize,
    ...(after !== null && { nextPageToken: opened(after) }),
  })
  const token = page.nextPageToken
  return {
    workflowIds: idsOf(page.executions),
    next: token && token.length > 0 ? sealed(Buffer.from(token).toString('base64url')) : null,
  }
}

/** Which of these workflows are open, as visibility has it: one that began just now may be missing. */
export async function openAmong(
  client: Client,
  workflowIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const open = new Set<string>()
  for (let from = 0; from < workflowIds.length; from += IDS_A_QUERY) {
    const ids = workflowIds.slice(from, from + IDS_A_QUERY)
    const page = await client.workflowService.listWorkflowExecutions({
      namespace: client.options.namespace,
      query: `ExecutionStatus = 'Running' AND WorkflowId IN (${ids.map((id) => `'${id}'`).join(', ')})`,
      pageSize: ids.length,
    })
    for (const id of idsOf(page.executions)) open.add(id)
  }
  return open
}

const IDS_A_QUERY = 100
/** Temporal answers a token that it did not give with a failure of its own: it is known by its digest here. */
const sealed = (token: string): string => `${digestOf(token)}_${token}`
const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex').slice(0, 16)

function opened(after: string): Buffer {
  const token = after.slice(after.indexOf('_') + 1)
  if (after !== sealed(token))
    throw new DomainError('validation_failed', 'after must be the next of an answer')
  return Buffer.from(token, 'base64url')
}

type Executions = Awaited<ReturnType<Client['workflowService']['listWorkflowExecutions']>>['executions']

const idsOf = (executions: Executions): readonly string[] =>
  executions.flatMap(({ execution }) => (execution?.workflowId == null ? [] : [execution.workflowId]))

interface PokeQuery {
  readonly taskQueue: string
  /** Only runs that began before: those that were poked since have a younger one. */
  readonly startedBefore: Date
  readonly limit: number
  readonly after: string | null
}

/** Pokes one page of the open workflows of every type. */
export async function pokeOpen(client: Client, { taskQueue, ...query }: PokeQuery): Promise<OpenWorkflows> {
  const began = `StartTime < '${query.startedBefore.toISOString()}'`
  const page = await openPage(client, {
    query: `ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue}' AND ${began}`,
    pageSize: query.limit,
    after: query.after,
  })
  const poked = await Promise.all(page.workflowIds.map(async (id) => ((await poke(client, id)) ? [id] : [])))
  return { workflowIds: poked.flat(), next: page.next }
}

/** Tells a workflow to look again; false when it is not running. */
export async function poke(client: Client, workflowId: string): Promise<boolean> {
  try {
    await client.workflow.getHandle(workflowId).signal('poke')
    return true
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}
