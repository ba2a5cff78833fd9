import { hash } from 'node:crypto'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const timeLength = 10
const randomLength = 16

/**
 * An id in the shape of a ULID for a part of a document that has no row of its own (a phase, an item, a detailed line):
 * the parent's time, then a digest of the path, so that it is the same on every read.
 */
export function derivedId(parentId: string, path: string): string {
  const digest = hash('sha256', `${parentId}\n${path}`, 'buffer')
  let random = ''
  for (let i = 0; i < randomLength; i++) random += alphabet[(digest[i] ?? 0) % alphabet.length]
  return parentId.slice(0, timeLength).padEnd(timeLength, '0') + random
}
