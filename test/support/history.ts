import type { Client } from '@temporalio/client'
import { optionalTsToMs } from '@temporalio/common/lib/time.js'

export interface HistoryEvent {
  /** The name of its attributes without the ending, e.g. `timerFired`. */
  readonly kind: string
  readonly atMs: number
  /** Of a marker. */
  readonly markerName?: string
}

export interface HistoryCounts {
  readonly events: number
  /** One that was prolonged for a local activity that took long is one; one that was lost is none. */
  readonly workflowTasks: number
  /** Scheduled at the server. */
  readonly activities: number
  /** Markers: done within a workflow task. */
  readonly localActivities: number
}

const ENDING = 'EventAttributes'

/** What happened in the newest run of a workflow, in order. */
export async function readHistory(client: Client, workflowId: string): Promise<readonly HistoryEvent[]> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory()
  return historyEvents(events)
}

type Fetched = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']

/** The same of one that was fetched. */
export function historyEvents(events: Fetched): readonly HistoryEvent[] {
  return (events ?? []).map((event) => {
    const attributes = Object.entries(event).find(([key, value]) => key.endsWith(ENDING) && value !== null)
    const markerName = event.markerRecordedEventAttributes?.markerName
    return {
      kind: attributes?.[0].slice(0, -ENDING.length) ?? 'unknown',
      atMs: optionalTsToMs(event.eventTime) ?? 0,
      ...(markerName && { markerName }),
    }
  })
}

/** Whether nothing is under way: its newest task is done, no activity or task was scheduled since, and no new run began. */
export function isAtRest(events: readonly HistoryEvent[]): boolean {
  const done = events.findLastIndex(({ kind }) => kind === 'workflowTaskCompleted')
  const kinds = new Set(events.slice(Math.max(done, 0)).map(({ kind }) => kind))
  const underWay = ['workflowTaskScheduled', 'activityTaskScheduled', 'workflowExecutionContinuedAsNew']
  return done >= 0 && !underWay.some((kind) => kinds.has(kind))
}

/** Whether a timer runs, of its last task or of one before, and nothing is under way: it sleeps until an instant. */
export function isAsleep(events: readonly HistoryEvent[]): boolean {
  const count = (wanted: string): number => events.filter(({ kind }) => kind === wanted).length
  const timers = count('timerStarted') - count('timerFired') - count('timerCanceled')
  return timers > 0 && isAtRest(events)
}

/** From the first timer that fired on: what a period costs, for one whose next has not ended. */
export function sinceFirstTimer(events: readonly HistoryEvent[]): readonly HistoryEvent[] {
  const fired = events.findIndex(({ kind }) => kind === 'timerFired')
  return fired < 0 ? [] : events.slice(fired)
}

export function countHistory(events: readonly HistoryEvent[]): HistoryCounts {
  const count = (wanted: string): number => events.filter(({ kind }) => kind === wanted).length
  return {
    events: events.length,
    workflowTasks: events.filter(
      ({ kind }, index) =>
        kind === 'workflowTaskCompleted' && events[index + 1]?.kind !== 'workflowTaskScheduled',
    ).length,
    activities: count('activityTaskScheduled'),
    localActivities: events.filter(({ markerName }) => markerName === 'core_local_activity').length,
  }
}
