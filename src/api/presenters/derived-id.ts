import { digestDigits } from '../../billing/digest-digits.ts'

const timeLength = 10

/**
 * An id in the shape of a ULID for a part of a document that has no row of its own (a phase, an item, a detailed line):
 * the parent's time, then a digest of the path, so that it is the same on every read.
 */
export function derivedId(parentId: string, path: string): string {
  return parentId.slice(0, timeLength).padEnd(timeLength, '0') + digestDigits(`${parentId}\n${path}`)
}
