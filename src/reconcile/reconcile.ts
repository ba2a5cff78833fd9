import type { Look, ReconcileDeps, Slice } from './deps.ts'
import { overdue } from './overdue.ts'
import { missedEvents } from './stripe-events.ts'
import { missingWorkflows, strayWorkflows, workflowStages } from './workflows.ts'

type Stage = (deps: ReconcileDeps, look: Look, after: string | null) => Promise<Slice>

/** In order. First what Stripe has, so that no number is given out twice; then what is late. */
const stages: readonly (readonly [name: string, stage: Stage])[] = [
  ['stripe', async (deps, look) => await missedEvents(deps, look)],
  ['overdue', overdue],
  ...workflowStages.map((stage): [string, Stage] => [
    stage.kind,
    async (deps, { dryRun }, after) => await missingWorkflows(deps, stage, { dryRun, after }),
  ]),
  ...workflowStages.map((stage): [string, Stage] => [
    `stray_${stage.kind}`,
    async (deps, { now }, after) => await strayWorkflows(deps, stage, { now, after }),
  ]),
]

/**
 * Compares one page of rows, open workflows and Stripe's events, and repairs what differs by calls that are safe to repeat.
 * `after` is the `next` of the slice before; null begins, and a null `next` is the end. What is late is looked at with
 * every first page.
 */
export async function reconcileSlice(deps: ReconcileDeps, look: Look, after: string | null): Promise<Slice> {
  const [name, rest] = splitOnce(after ?? '')
  const index = Math.max(
    stages.findIndex(([each]) => each === name),
    0,
  )
  const stage = stages[index]
  if (stage === undefined) return { examined: 0, findings: [], next: null }
  const slice = await stage[1](deps, look, rest)
  if (slice.next !== null) return { ...slice, next: `${stage[0]}:${slice.next}` }
  return { ...slice, next: stages[index + 1]?.[0] ?? null }
}

function splitOnce(text: string): readonly [string, string | null] {
  const at = text.indexOf(':')
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)]
}
