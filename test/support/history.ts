import type { Client } from '@temporalio/client'

export interface HistoryEvent {
  /** The name of its attributes without the ending, e.g. `timerFired`. */
  readonly kind: string
}

export interface HistoryCounts {
  readonly events: number
  readonly workflowTasks: number
  /** Scheduled at the server; local activities are markers. */
  readonly activities: number
}

const ENDING = 'EventAttributes'

/** What happened in the newest run of a workflow, in order. */
export async function readHistory(client: Client, workflowId: string): Promise<readonly HistoryEvent[]> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory()
  return (events ?? []).map((event) => {
    const attributes = Object.entries(event).find(([key, value]) => key.endsWith(ENDING) && value !== null)
    return { kind: attributes?.[0].slice(0, -ENDING.length) ?? 'unknown' }
  })
}

export function countHistory(events: readonly HistoryEvent[]): HistoryCounts {
  const count = (wanted: string): number => events.filter(({ kind }) => kind === wanted).length
  return {
    events: events.length,
    workflowTasks: count('workflowTaskStarted'),
    activities: count('activityTaskScheduled'),
  }
}
