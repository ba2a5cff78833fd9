import { addDuration, parseTerm } from './calendar.ts'

/** What happens after the last retry failed. */
export type DunningEnd = 'leave_overdue' | 'cancel_subscription' | 'mark_uncollectible'

/** How unpaid invoices are followed up (rule 32). */
export interface DunningPolicy {
  /** ISO durations counted from the first failure, increasing. */
  readonly retries: readonly string[]
  readonly end: DunningEnd
  /** ISO duration from the first failure for which access is kept; apart from the retries. */
  readonly grace: string
}

/** What a profile gets that says nothing: three retries within two weeks, access for one. */
export const defaultDunningPolicy: DunningPolicy = {
  retries: ['P3D', 'P7D', 'P14D'],
  end: 'leave_overdue',
  grace: 'P7D',
}

const maxRetries = 12

export type RetryDecision =
  | { readonly kind: 'retry'; readonly atMs: number }
  /** No card is tried again; if none is added until then, the policy ends. */
  | { readonly kind: 'wait_new_payment_method'; readonly untilMs: number }
  | { readonly kind: 'end'; readonly end: DunningEnd }

export interface RetryInput {
  readonly policy: DunningPolicy
  readonly firstFailedMs: number
  /** Failed payments so far, counted by payment id, the first included (rule 30). */
  readonly attempts: number
  /** The last failure was a hard decline, and no other payment method came since. */
  readonly hard: boolean
  readonly nowMs: number
  /** Retries that were missed before the last failure are not made up for, whenever it is looked at again. */
  readonly lastFailedMs: number
}

/** What follows a failed payment (rule 32). A payment that is processing is no failure: do not ask. */
export function decideRetry(input: RetryInput): RetryDecision {
  const { policy, firstFailedMs, lastFailedMs, attempts, hard, nowMs } = input
  const retriesAtMs = policy.retries.map((after) => addDuration(firstFailedMs, after, 'UTC'))
  const end: RetryDecision = { kind: 'end', end: policy.end }
  const lastMs = retriesAtMs.at(-1) ?? firstFailedMs
  if (hard) return nowMs >= lastMs ? end : { kind: 'wait_new_payment_method', untilMs: lastMs }
  const planned = retriesAtMs.slice(Math.max(attempts - 1, 0))
  const nextMs = planned.find((atMs) => atMs > lastFailedMs)
  if (nextMs !== undefined) return { kind: 'retry', atMs: Math.max(nextMs, nowMs) }
  // Payments that were tried by hand count too, and never bring the end forward.
  return nowMs < lastMs ? { kind: 'retry', atMs: lastMs } : end
}

/** When access ends unless the invoice is paid: the grace counts from the first failure, whatever the retries do. */
export function graceEndsAt(policy: DunningPolicy, firstFailedMs: number): number {
  return addDuration(firstFailedMs, policy.grace, 'UTC')
}

/** Why a policy cannot be used, by field; empty when it can. */
export function dunningProblems(policy: DunningPolicy): readonly { field: string; message: string }[] {
  const isDuration = (iso: string): boolean => {
    try {
      parseTerm(iso)
      return true
    } catch {
      return false
    }
  }
  const bad = policy.retries.findIndex((iso) => !isDuration(iso))
  if (bad !== -1)
    return [{ field: `retries[${bad}]`, message: 'must be an ISO 8601 duration of at most ten years' }]
  if (!isDuration(policy.grace))
    return [{ field: 'grace', message: 'must be an ISO 8601 duration of at most ten years' }]
  const atMs = policy.retries.map((iso) => addDuration(0, iso, 'UTC'))
  const late = atMs.findIndex((ms, i) => ms <= (atMs[i - 1] ?? 0))
  if (late !== -1) return [{ field: `retries[${late}]`, message: 'must be later than the retry before' }]
  if (atMs.length > maxRetries) return [{ field: 'retries', message: `must be at most ${maxRetries}` }]
  return []
}
