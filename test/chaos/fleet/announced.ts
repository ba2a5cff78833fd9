/**
 * What processes log at level error when what they stand on is gone, by code or message: everything else at that level is an error
 * of the product.
 */
export const announcedErrors: readonly string[] = [
  // PostgreSQL was killed, restarts, or the connection to it was cut.
  'Connection terminated unexpectedly',
  'Client has encountered a connection error and is not queryable',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  // admin_shutdown, crash_shutdown, cannot_connect_now
  '57P01',
  '57P02',
  '57P03',
  // The workers were, or Temporal, for longer than a command waits.
  'No worker is running. The command may still be carried out: repeat it with the same Idempotency-Key.',
  'Temporal cannot be reached. The command may still be carried out: repeat it with the same Idempotency-Key.',
  // A workflow task timed out and came again while its first answer was under way: Temporal's core says so and goes on.
  'Trying to send a new WFT for a run which already has one!',
  // Stripe was.
  'Stripe is not reachable',
]
