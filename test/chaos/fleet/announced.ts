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
  // The workers were, for longer than a command waits.
  'no worker answered in time; the command may still be carried out, repeat it with the same Idempotency-Key',
  // Stripe was.
  'Stripe is not reachable',
]
