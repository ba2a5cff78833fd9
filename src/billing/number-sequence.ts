import { digestDigits } from './digest-digits.ts'

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
  return { key: supplierKey, prefix: `INV-${digestDigits(supplierKey).slice(0, MARK_LENGTH)}` }
}
