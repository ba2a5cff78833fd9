import { randomBytes } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** A random base-62 text; the bias of `% 62` is of no matter for test data. */
export function randomText(length: number): string {
  return Array.from(randomBytes(length), (byte) => ALPHABET[byte % 62]).join('')
}

/** A new object id with Stripe's prefix, such as `in_1Q…`. Ids never repeat, but do not sort by time. */
export function newId(prefix: string): string {
  return `${prefix}_1S${randomText(22)}`
}

/** The secret of a webhook endpoint, shown once in the reply that creates it. */
export function newWebhookSecret(): string {
  return `whsec_${randomText(32)}`
}

/** Eight capitals and digits, the default prefix of a customer's invoice numbers. */
export function newInvoicePrefix(): string {
  return randomBytes(4).toString('hex').toUpperCase()
}
