import { classifyStripeError } from './failures.ts'

/**
 * Makes a thing that does no harm twice: where Stripe holds a failure, or another request, under the idempotency key
 * (rule 31), it is made once more under the next.
 */
export async function pastPinned<T>(key: string, make: (idempotencyKey: string) => Promise<T>): Promise<T> {
  try {
    return await make(key)
  } catch (error) {
    if (classifyStripeError(error).kind !== 'pinned') throw error
    return await make(`${key}:again`)
  }
}
