import { createHash } from 'node:crypto'

/** Same content, same text: the part of an idempotency key that stands for what is sent. */
export const fingerprintOf = (content: unknown): string =>
  createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 24)
