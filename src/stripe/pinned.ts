import { classifyStripeError } from './failures.ts'

/**
 * Makes a thing, once: where Stripe holds a failure, or another request, under the idempotency key (rule 31), what an
 * earlier try left is looked for, and only if there is nothing it is made under the next key.
 */
export async function pastPinned<T>(
  key: string,
  make: (idempotencyKey: string) => Promise<T>,
  find?: () => Promise<T | undefined>,
): Promise<T> {
  try {
    return await make(key)
  } catch (error) {
    if (classifyStripeError(error).kind !== 'pinned') throw error
    return (await find?.()) ?? (await make(`${key}:again`))
  }
}
