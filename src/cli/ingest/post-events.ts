import { setTimeout as sleep } from 'node:timers/promises'
import { CliProblem } from '../problem.ts'

export interface ApiTarget {
  readonly apiUrl: string
  readonly apiKey: string | null
}

export interface EventCounts {
  readonly stored: number
  readonly duplicate: number
  readonly invalid: number
}

/** What the API made of a batch: counted, or refused as a whole with a reason and perhaps the event it is about. */
export type PostOutcome =
  | { readonly kind: 'taken'; readonly counts: EventCounts }
  | { readonly kind: 'refused'; readonly reason: string; readonly index: number | null }
  | { readonly kind: 'too_large' }

const ATTEMPTS = 8
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000
const REQUEST_TIMEOUT_MS = 60_000

/**
 * Sends one batch. An answer that did not come, 429 or 5xx is tried again: events have identities, so that sending twice
 * counts once (billing rule 7).
 * @throws CliProblem when the API stays away, or wants another key
 */
export async function postEvents(target: ApiTarget, events: readonly string[]): Promise<PostOutcome> {
  let why = ''
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await sleep(Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS))
    const answer = await tryPost(target, events)
    if (typeof answer !== 'string') return answer
    why = answer
  }
  throw new CliProblem({
    what: `The API at ${target.apiUrl} does not take the events`,
    why,
    next: 'check that the server runs (perennial doctor), then run the same command again: what was stored is not counted twice',
  })
}

/** The outcome, or as text why it should be tried again. */
async function tryPost(target: ApiTarget, events: readonly string[]): Promise<PostOutcome | string> {
  try {
    const response = await fetch(`${target.apiUrl.replace(/\/+$/, '')}/api/v1/events`, {
      method: 'POST',
      headers: {
        'content-type': 'application/cloudevents-batch+json',
        ...(target.apiKey === null ? {} : { authorization: `Bearer ${target.apiKey}` }),
      },
      body: `[${events.join(',')}]`,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    return await outcomeOf(response, await response.text())
  } catch (error) {
    if (error instanceof CliProblem) throw error
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    return cause instanceof Error ? cause.message || cause.name : String(cause)
  }
}

async function outcomeOf(response: Response, text: string): Promise<PostOutcome | string> {
  const { status } = response
  if (status === 204) return { kind: 'taken', counts: countsOf(response.headers) }
  if (status === 413) return { kind: 'too_large' }
  if (status === 429 || status >= 500) return `it answered ${status}`
  const { detail, field } = problemOf(text)
  if (status === 400) {
    const index = /^\[(\d+)\]/.exec(field ?? '')?.[1]
    return {
      kind: 'refused',
      reason: detail ?? text.slice(0, 200),
      index: index === undefined ? null : Number(index),
    }
  }
  throw new CliProblem({
    what: `The API refused the events with ${status}`,
    why: detail ?? text.slice(0, 200),
    next: status === 401 || status === 403 ? 'give a key with the scope ingest: --api-key' : 'check --url',
  })
}

function countsOf(headers: Headers): EventCounts {
  const count = (name: string): number => Number(headers.get(`perennial-events-${name}`) ?? 0)
  return { stored: count('stored'), duplicate: count('duplicate'), invalid: count('invalid') }
}

function problemOf(text: string): { readonly detail?: string; readonly field?: string } {
  try {
    const problem: unknown = JSON.parse(text)
    return typeof problem === 'object' && problem !== null ? problem : {}
  } catch {
    return {}
  }
}
