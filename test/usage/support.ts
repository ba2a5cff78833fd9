import { setTimeout as pause } from 'node:timers/promises'
import { storeEvents } from '../../src/db/stores/events.ts'
import type { NewEvent } from '../../src/db/stores/events.ts'
import { beginFinishing, hasFinished, rollUp } from '../../src/db/stores/usage-roller.ts'
import type { Database, Db } from '../../src/db/connection.ts'
import type { UsageMeter } from '../../src/domain/meters.ts'

let count = 0

/** An event of type `prompt` by `acme`, unlike any other unless told. */
export function event(fields: Partial<NewEvent> & { readonly data?: unknown } = {}): NewEvent {
  const data = fields.data ?? { tokens: 1 }
  return {
    id: `event-${++count}`,
    source: 'test',
    type: 'prompt',
    subject: 'acme',
    time: '2025-01-15T12:00:00Z',
    datacontenttype: null,
    dataschema: null,
    dataText: JSON.stringify(data),
    ...fields,
    data,
  }
}

export function meter(fields: Partial<UsageMeter> = {}): UsageMeter {
  return {
    eventType: 'prompt',
    eventFrom: null,
    aggregation: 'SUM',
    valueProperty: '$.tokens',
    groupBy: {},
    ...fields,
  }
}

/** Stores events now, real time. */
export async function store(db: Db, ...events: readonly NewEvent[]) {
  return await storeEvents(db, events, new Date())
}

/** Rolls up everything that is stored now, in steps of a few events. */
export async function rollUpAll(db: Database, eventsMax = 1000): Promise<void> {
  const seq = await finishedSeq(db)
  while (await rollUp(db, seq, eventsMax));
}

/** The last event of now, once nobody can store one before it any more. */
export async function finishedSeq(db: Database): Promise<string> {
  const finishing = await beginFinishing(db)
  while (!(await hasFinished(db, finishing))) await pause(5)
  return finishing.seq
}
