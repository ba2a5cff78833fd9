import type { TimeKeeper } from '../clock.ts'
import type { Context } from '../context.ts'
import type { Deliverer } from '../deliveries.ts'
import { StripeRefusal } from '../errors.ts'
import type { Faults } from '../faults.ts'
import type { RequestLog } from '../request-log.ts'
import type { WebhookRules } from '../webhook-rules.ts'

/** What the control plane steers. */
export interface ControlDeps {
  readonly context: () => Context
  readonly log: RequestLog
  readonly faults: Faults
  readonly rules: WebhookRules
  readonly deliverer: Deliverer
  readonly time: TimeKeeper
  readonly reset: () => void
  readonly changed: () => void
}

/** One call of the control plane; `rest` is what follows the last slash. */
export interface Call {
  readonly query: URLSearchParams
  readonly body: unknown
  readonly rest: string
}
export type Handler = (deps: ControlDeps, call: Call) => unknown

/** A call that is refused with 400. */
export class BadCall extends Error {}

/** The body as an object. */
export function asRecord(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null) throw new BadCall('a JSON object is expected')
  return body as Readonly<Record<string, unknown>>
}

/** Runs a change; what Stripe would refuse is a bad call. */
export function changing<T>({ context, changed }: ControlDeps, work: (ctx: Context) => T): T {
  const ctx = context()
  try {
    return ctx.store.transact(() => work(ctx))
  } catch (error) {
    if (error instanceof StripeRefusal) throw new BadCall(error.message)
    throw error
  } finally {
    changed()
  }
}
