import { randomFillSync } from 'node:crypto'
import { ulid } from 'ulid'

const bytes = Buffer.alloc(4096)
let used = bytes.length

/** Of a buffer that is filled now and then: a call of the system for each of 16 characters costs a request more than SHA-256. */
function randomFraction(): number {
  if (used === bytes.length) {
    randomFillSync(bytes)
    used = 0
  }
  return bytes.readUInt8(used++) / 256
}

/** A new ULID: 80 bits of it are random, as `ulid()` makes them. */
export function newId(): string {
  return ulid(undefined, randomFraction)
}
