import { pino } from 'pino'
import { Stripe } from 'stripe'
import { isDomainError } from '../domain/errors.ts'
import { classifyStripeError, StripeFailure } from './failures.ts'

/** How many causes deep Stripe's words are looked for. */
const MAX_DEPTH = 10

/** Where PostgreSQL repeats the row, or the values, that it refused: they are a customer's. */
const ofRows: ReadonlySet<string> = new Set(['detail', 'where', 'internalQuery'])

/**
 * An error as the log may hold it. Stripe's words repeat what was sent, an e-mail address say: of a failure of Stripe only
 * its codes and the id of the request are kept, under which Stripe shows the rest. Of one of PostgreSQL the row is left out.
 */
export function loggedError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const refused = refusalIn(error)
  if (refused === undefined) return withoutRows(pino.stdSerializers.err(error))
  const { kind, code, declineCode, param, requestId } = classifyStripeError(refused)
  return { type: error.name, kind, code, declineCode, param, requestId, stack: framesOf(error) }
}

const withoutRows = (logged: object): object =>
  Object.fromEntries(Object.entries(logged).filter(([name]) => !ofRows.has(name)))

/** The failure of Stripe that the error is, comes from, or repeats. */
function refusalIn(error: Error): Error | undefined {
  let at: unknown = error
  for (let depth = 0; depth < MAX_DEPTH && at instanceof Error; depth += 1) {
    if (isOfStripe(at)) return at
    at = at.cause
  }
  return undefined
}

function isOfStripe(error: Error): boolean {
  if (error instanceof StripeFailure || error instanceof Stripe.errors.StripeError) return true
  return isDomainError(error) && error.code === 'stripe_refused'
}

/** A stack begins with the message. */
function framesOf({ stack = '' }: Error): string {
  return stack
    .split('\n')
    .filter((line) => /^ +at /.test(line))
    .join('\n')
}
