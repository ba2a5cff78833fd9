import type { Context } from '../context.ts'
import { StripeRefusal } from '../errors.ts'

/** Runs a change that may be refused; a refusal that changed state keeps it. Null: done. */
export function tryOnPage(ctx: Context, work: () => void): StripeRefusal | null {
  try {
    return ctx.store.transact(() => {
      try {
        work()
        return null
      } catch (error) {
        if (error instanceof StripeRefusal && error.keepsChanges) return error
        throw error
      }
    })
  } catch (error) {
    if (error instanceof StripeRefusal) return error
    throw error
  }
}
