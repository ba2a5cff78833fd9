import { randomBytes, randomFillSync } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

const bytes = Buffer.alloc(4096)
let used = bytes.length

/** A random base-62 text; the bias of `% 62` is of no matter for test data. Of a buffer that is filled now and then. */
export function randomText(length: number): string {
  if (used + length > bytes.length) {
    randomFillSync(bytes)
    used = 0
  }
  let text = ''
  for (const end = used + length; used < end; used += 1) text += ALPHABET[bytes.readUInt8(used) % 62]
  return text
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
