import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow'
import type { SubscriptionCommand, SubscriptionStep } from '../activities/contracts.ts'
import { createClock } from './clock.ts'
import type { ClockSource } from './clock.ts'
import { createCommandQueue } from './commands.ts'
import { poke, subscriptionCommand } from './messages.ts'
import { billsInTask, commandKeepsTimer, commandsInTask, hasShortRuns, pokeBeginsRun } from './patches.ts'
import { advanceSubscription } from './proxies.ts'
import { billingStatusAttribute, nextBillingTimeAttribute } from './search-attributes.ts'

export interface SubscriptionInput {
  readonly subscriptionId: string
  readonly clock: ClockSource
  /** Known when continuing as new; a fresh subscription looks at once. */
  readonly nextDueMs: number | null
  readonly waitingFor: string
  /** As of the last step ({@link SubscriptionStep}). */
  readonly quietFromMs?: number | null
  /** What the run before said of itself, for people: a run that sleeps first says it, too. */
  readonly summary?: string | undefined
}

/**
 * A run goes on as the next one after this many steps. Whoever wakes after a month is in no worker's memory, so its run is
 * replayed from the start: each step of it costs more than a quarter of a new run (docs/performance.md). It also bounds
 * histories, and lets a deployment's code reach every sleeper.
 */
const STEPS_PER_RUN = 4
/** Of runs that began before they were short, and of those that are kept busy. */
const STEPS_PER_LONG_RUN = 24
/** Temporal lets no run begin within a second after the one before began: one that is kept busy would stand still for that. */
const SHORTEST_RUN_MS = 2_000

/**
 * The whole life of one subscription: sleep until something is due, bill it in one step, go on. It owns no money and no
 * dates: the step reads and writes the rows, and answers when to wake next.
 */
export async function subscription(input: SubscriptionInput): Promise<void> {
  const commands = createCommandQueue<SubscriptionCommand>()
  let poked = false
  setHandler(subscriptionCommand, (command) => commands.submit(command))
  setHandler(poke, () => {
    poked = true
  })
  if (input.summary !== undefined) setCurrentDetails(input.summary)
  const clock = createClock(input.clock)
  const interrupted = (): boolean => poked || !commands.isEmpty()

  const billingPlace = billsInTask() ? 'billing' : 'server'
  let nextDueMs = input.nextDueMs
  let waitingFor = input.waitingFor
  let quietFromMs = input.quietFromMs ?? null
  const nextIsQuiet = (): boolean => isQuiet(commands.next(), { quietFromMs, asOfMs: clock.nowMs() })
  const keepsTimer = (): boolean => nextIsQuiet() && commandKeepsTimer()
  let summary = input.summary
  let shown = { lifecycle: '', nextDueMs: -1 as number | null }
  const goOnAsNew = async (): Promise<void> => {
    await condition(allHandlersFinished)
    // A poke is heeded by the next run.
    const next = { nextDueMs: poked ? 0 : nextDueMs, waitingFor, quietFromMs, summary }
    await continueAsNew<typeof subscription>({ ...input, ...next, clock: clock.source() })
  }

  for (let steps = 0; ; steps++) {
    await clock.waitUntil(nextDueMs, interrupted, { summary: waitingFor, keepsTimer })
    const isLong = steps >= STEPS_PER_LONG_RUN || workflowInfo().continueAsNewSuggested
    if (commands.isEmpty() && (isLong || (poked && pokeBeginsRun()))) await goOnAsNew()
    const command = commands.next()
    // A command goes first.
    poked = poked && command !== undefined && pokeBeginsRun()
    const asked = { subscriptionId: input.subscriptionId, ...(command && { command }) }
    const asOfMs = clock.nowMs()
    const place = command === undefined ? billingPlace : commandPlace(nextIsQuiet())
    const step = await advanceSubscription({ ...asked, asOfMs }, place)
    if (command) commands.complete(command, step.refused)
    shown = show(step, shown)
    // A command that came during the last step still gets its answer.
    if (step.ended && commands.isEmpty()) break
    nextDueMs = step.nextDueMs
    waitingFor = step.waitingFor
    quietFromMs = step.quietFromMs ?? null
    summary = step.summary
    const isOver = steps + 1 >= STEPS_PER_RUN && command === undefined && !interrupted()
    const sleeps = nextDueMs === null || nextDueMs > clock.nowMs()
    if (isOver && sleeps && isOldEnough() && hasShortRuns()) await goOnAsNew()
  }
  await condition(allHandlersFinished)
}

const isOldEnough = (): boolean => Date.now() - workflowInfo().runStartTime.getTime() >= SHORTEST_RUN_MS

interface Quiet {
  readonly quietFromMs: number | null
  readonly asOfMs: number
}

/** Whether a command needs rows only and no earlier wake: who never hears of it sleeps no longer than it should. */
function isQuiet(command: SubscriptionCommand | undefined, { quietFromMs, asOfMs }: Quiet): boolean {
  if (command === undefined || quietFromMs === null || quietFromMs <= asOfMs) return false
  return (
    command.kind === 'unschedule_cancelation' ||
    (command.kind === 'cancel' && command.effectiveAtMs >= quietFromMs)
  )
}

/**
 * A worker may stand still when a command is written and its task not yet handed in: the task is lost, and the command too
 * where nobody asks for it any more. So only a quiet one is carried out within the task.
 */
function commandPlace(quiet: boolean): 'server' | 'command' {
  return quiet && (commandKeepsTimer() || commandsInTask()) ? 'command' : 'server'
}

type Shown = { lifecycle: string; nextDueMs: number | null }

/** Each upsert is an event and a visibility write: only what changed. */
function show(step: SubscriptionStep, before: Shown): Shown {
  setCurrentDetails(step.summary)
  const now = { lifecycle: step.lifecycle, nextDueMs: step.nextDueMs }
  if (now.lifecycle === before.lifecycle && now.nextDueMs === before.nextDueMs) return now
  upsertSearchAttributes([
    { key: billingStatusAttribute, value: step.lifecycle },
    { key: nextBillingTimeAttribute, value: step.nextDueMs === null ? null : new Date(step.nextDueMs) },
  ])
  return now
}
