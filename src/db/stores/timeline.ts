import type { Db } from '../connection.ts'

export interface TimelineEntry {
  readonly subjectType: 'subscription' | 'invoice'
  readonly subjectId: string
  /** When it happened, on the customer's clock. */
  readonly at: Date
  readonly kind: string
  /** A sentence for people; no secrets, no card data. */
  readonly detail: string
}

/** Adds what happened, for people to read in order. */
export async function appendTimeline(db: Db, entries: readonly TimelineEntry[]): Promise<void> {
  if (entries.length > 0)
    await db
      .insertInto('timeline')
      .values([...entries])
      .execute()
}
