import { hash } from 'node:crypto'

/** Crockford's, the digits of a ULID. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const DIGITS = 16

/** Of a text's SHA-256 as many digits as stand behind the time in a ULID: 80 bits in the place of chance. */
export function digestDigits(text: string): string {
  // A character for each byte: a buffer takes twice as long.
  const digest = hash('sha256', text, 'binary')
  let digits = ''
  for (let index = 0; index < DIGITS; index += 1) digits += ALPHABET[digest.charCodeAt(index) % 32] ?? ''
  return digits
}
