/** Of the socket, and of PostgreSQL while it stops, has crashed, or starts (class 57, operator intervention; class 08). */
const codes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  // Where it runs in a container, its name comes with it.
  'ENOTFOUND',
  'EAI_AGAIN',
  '57P01',
  '57P02',
  '57P03',
  '08000',
  '08003',
  '08006',
])

/** What pg says without a code of a connection that was lost under it. */
const messages = [
  'Connection terminated',
  'Client has encountered a connection error',
  'timeout exceeded when trying to connect',
]

/** Whether a query failed because the database could not be reached or went away: the same may work a moment later. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('code' in error && typeof error.code === 'string') return codes.has(error.code)
  return messages.some((message) => error.message.startsWith(message))
}
