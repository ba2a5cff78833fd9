import { patched } from '@temporalio/workflow'

// Every change of what a workflow does, in which order, has a patch here: runs that began before go on as they began. A
// patch goes when no run of before it can be left (CONTRIBUTING, Releases).

/** After 0.1.0 a poke begins a new run, and with it a new history. Before, it was heeded in the same run. */
export function pokeBeginsRun(): boolean {
  return patched('poke-begins-run')
}

/** After 0.1.0 what is due is billed within the workflow task. Asked as a run begins: a run goes on as it began. */
export function billsInTask(): boolean {
  return patched('bill-in-task')
}

/**
 * After 0.1.0 a command that needs rows only is carried out within the workflow task, and leaves the timer alone where what is
 * due stays as it was. Asked where one comes: most never do.
 */
export function commandKeepsTimer(): boolean {
  return patched('command-keeps-timer')
}

/**
 * The same with the timer set anew, as it was between releases. Asked of runs that have not noted the one above, so no new run
 * notes it: at the next release it goes, and its history with it.
 */
export function commandsInTask(): boolean {
  return patched('command-in-task')
}

/** After 0.1.0 a run ends after a few steps, within the task of the last. Asked then: the run may be a long one. */
export function hasShortRuns(): boolean {
  return patched('short-runs')
}
