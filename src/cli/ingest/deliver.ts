import { postEvents } from './post-events.ts'
import type { ApiTarget, EventCounts } from './post-events.ts'
import { refusedRow } from './rows.ts'
import type { Row } from './rows.ts'

export interface Delivery {
  readonly counts: EventCounts
  readonly refused: readonly Row[]
}

/** After so many rows picked out one by one, a batch is halved: a file that is wrong throughout ends soon either way. */
const PICKS_MAX = 16

/**
 * Delivers rows. The API refuses a batch as a whole, so the rows at fault are found and left out, and the rest is sent:
 * every row ends either delivered or refused with its reason.
 */
export async function deliver(target: ApiTarget, rows: readonly Row[]): Promise<Delivery> {
  const refused: Row[] = []
  let rest = rows
  for (let picks = 0; rest.length > 0; picks++) {
    const outcome = await postEvents(
      target,
      rest.flatMap(({ events }) => events),
    )
    if (outcome.kind === 'taken') return { counts: outcome.counts, refused }
    const reason = outcome.kind === 'refused' ? outcome.reason : 'the row is too large for one request'
    const index = rest.length === 1 ? 0 : outcome.kind === 'refused' ? rowOfEvent(rest, outcome.index) : null
    const culprit = index === null ? undefined : rest[index]
    if (culprit === undefined || picks === PICKS_MAX) return await inHalves(target, rest, refused)
    refused.push(refusedRow(culprit.line, culprit.original, reason))
    rest = rest.filter((row) => row !== culprit)
  }
  return { counts: { stored: 0, duplicate: 0, invalid: 0 }, refused }
}

async function inHalves(target: ApiTarget, rows: readonly Row[], refused: readonly Row[]): Promise<Delivery> {
  const middle = Math.ceil(rows.length / 2)
  const first = await deliver(target, rows.slice(0, middle))
  const second = await deliver(target, rows.slice(middle))
  return {
    counts: sumCounts(first.counts, second.counts),
    refused: [...refused, ...first.refused, ...second.refused],
  }
}

function rowOfEvent(rows: readonly Row[], event: number | null): number | null {
  if (event === null) return null
  let before = 0
  const index = rows.findIndex(({ events }) => (before += events.length) > event)
  return index === -1 ? null : index
}

export function sumCounts(a: EventCounts, b: EventCounts): EventCounts {
  return { stored: a.stored + b.stored, duplicate: a.duplicate + b.duplicate, invalid: a.invalid + b.invalid }
}
