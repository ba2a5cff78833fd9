import { purgeDone } from '../db/stores/purge.ts'
import { beginRun, newestRun, noteLook, withReconcilerLock } from '../db/stores/reconciliation-runs.ts'
import { periodically } from '../periodic.ts'
import type { Periodic } from '../periodic.ts'
import type { Finding, Look, ReconcileDeps } from './deps.ts'
import { overdue } from './overdue.ts'
import { reconcileSlice } from './reconcile.ts'

export interface ReconcilerDeps extends ReconcileDeps {
  readonly log: {
    readonly info: (fields: object, message: string) => void
    readonly warn: (fields: object, message: string) => void
  }
  readonly observer?: ReconcilerObserver
}

/** Told of what a look found; metrics are made of it. */
export interface ReconcilerObserver {
  readonly found: (finding: Finding) => void
}

const LOOK_EVERY_MS = 5 * 60 * 1000
/** Pages in one look: a small installation is gone through in one, a large one in as many as it takes. */
const SLICES_A_LOOK = 30

/** Compares and repairs every few minutes. Run it in every worker: one of them does it at a time, and no oftener. */
export function startReconciler(deps: ReconcilerDeps, everyMs = LOOK_EVERY_MS): Periodic {
  return periodically(async (stopping) => await look(deps, everyMs, stopping), { everyMs, waitsFirst: true })
}

/** What fails is logged, shown by the doctor, and tried again at the next look. */
async function look(deps: ReconcilerDeps, everyMs: number, stopping: AbortSignal): Promise<void> {
  try {
    await withReconcilerLock(deps.db, async () => await lookOnce(deps, everyMs, stopping))
  } catch (error) {
    deps.log.warn({ err: error }, 'reconciling failed; it is tried again')
  }
}

async function lookOnce(deps: ReconcilerDeps, everyMs: number, stopping: AbortSignal): Promise<void> {
  const now = new Date()
  const before = await newestRun(deps.db)
  // Another worker has just looked. In the future nobody has: a clock that was ahead then holds nothing up.
  if (before !== undefined && Math.abs(now.getTime() - before.lookedAt.getTime()) < everyMs / 2) return
  const isUnderWay = before !== undefined && before.endedAt === null
  const run = isUnderWay ? before : await beginRun(deps.db, now)
  const looking: Look = { dryRun: false, now, lookedAt: before?.lookedAt ?? new Date(0) }
  const found: Finding[] = []
  let examined = 0
  let nextAfter = run.nextAfter
  let error: string | null = null
  try {
    // What is late does not wait for the rest of a long pass.
    if (isUnderWay) found.push(...(await overdue(deps, looking)).findings)
    for (let slices = 0; slices < SLICES_A_LOOK && !stopping.aborted; slices++) {
      const slice = await reconcileSlice(deps, looking, nextAfter)
      found.push(...slice.findings)
      examined += slice.examined
      nextAfter = slice.next
      if (nextAfter === null) break
    }
  } catch (caught) {
    error = caught instanceof Error ? caught.message : String(caught)
    deps.log.warn({ err: caught }, 'reconciling failed; it goes on from the same place')
  }
  for (const finding of found) {
    deps.log.warn({ ...finding }, 'reconciled')
    deps.observer?.found(finding)
  }
  await noteLook(deps.db, run, { at: now, nextAfter, examined, findings: found, error })
  if (nextAfter === null && error === null) {
    const purged = await purgeDone(deps.db, now)
    if (purged > 0) deps.log.info({ purged }, 'what was done long ago was removed')
  }
}
