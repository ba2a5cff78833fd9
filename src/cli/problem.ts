/** A failure as a person at a terminal needs it: what happened, why, and what to do next. */
export class CliProblem extends Error {
  readonly what: string
  readonly why: string
  readonly next: string

  constructor(
    problem: { readonly what: string; readonly why: string; readonly next: string },
    cause?: unknown,
  ) {
    super(`${problem.what}: ${problem.why}`, cause === undefined ? undefined : { cause })
    this.name = 'CliProblem'
    this.what = problem.what
    this.why = problem.why
    this.next = problem.next
  }
}
