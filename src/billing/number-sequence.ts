import { createHash } from 'node:crypto'
import { CROCKFORD } from './stable-ids.ts'

/** From what the invoices of a supplier are numbered. */
export interface NumberSequence {
  readonly key: string
  readonly prefix: string
}

const MARK_LENGTH = 8

/**
 * The sequence of a supplier (rule 22). Its mark is a digest of the supplier's id, which is any text that the profile gives:
 * two that end alike would have the same numbers. A sequence that was begun keeps the prefix that it has.
 */
export function numberSequenceOf(supplierKey: string): NumberSequence {
  if (supplierKey === 'default') return { key: supplierKey, prefix: 'INV' }
  const digest = createHash('sha256').update(supplierKey).digest()
  const mark = Array.from({ length: MARK_LENGTH }, (_, index) => CROCKFORD[(digest[index] ?? 0) % 32])
  return { key: supplierKey, prefix: `INV-${mark.join('')}` }
}
