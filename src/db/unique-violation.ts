const UNIQUE_VIOLATION = '23505'

/** Whether a write failed because it would have doubled an entry of this unique index. */
export function isUniqueViolation(error: unknown, index: string): boolean {
  if (!(error instanceof Error) || !('code' in error) || !('constraint' in error)) return false
  return error.code === UNIQUE_VIOLATION && error.constraint === index
}
